//! Which groups of the trees are workloads. Pure.
//!
//! Every process belongs to at most one workload, so that nothing is counted twice:
//! - a container is one workload, whatever is inside it;
//! - a systemd service or scope is one, unless containers, jobs or units are inside it: then those are;
//! - any other group is one when processes are in it directly and none of the above is below it; its subtree is part of it;
//! - a login session's scope is none: its processes are told apart by executable ([`super::ProcCollector`]).

use super::container::{self, Container};
use crate::cgroupfs::Found;
use std::collections::BTreeMap;

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A container or a batch job, by the pattern of its path.
    Container(Container),
    /// A systemd service or scope: the unit's name.
    Unit(String),
    /// Anything else.
    Plain,
}

/// A group that is a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its path, as in [`apportion_core::Workload::path`].
    pub path: String,
    /// What it is.
    pub shape: Shape,
}

/// True for a group whose processes have nothing in common but where they were started: the top of a tree, or a login
/// session.
#[must_use]
pub fn is_shared(path: &str) -> bool {
    path == "/" || path.split('/').any(is_session)
}

fn is_session(name: &str) -> bool {
    name.starts_with("session-") && name.ends_with(".scope")
}

/// The shape of a group, by its path alone.
#[must_use]
pub fn shape(path: &str) -> Shape {
    if let Some(container) = container::identify(path) {
        return Shape::Container(container);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.ends_with(".service") || name.ends_with(".scope") {
        return Shape::Unit(name.to_owned());
    }
    Shape::Plain
}

/// The workloads among the groups of one or more trees; a group that is in several trees counts once.
#[must_use]
pub fn select(found: &[Found]) -> Vec<Group> {
    let mut top = Node::default();
    for found in found {
        top.insert(&found.group, found.has_processes);
    }
    let mut chosen = Vec::new();
    for (name, node) in &top.children {
        node.select(&mut format!("/{name}"), &mut chosen);
    }
    chosen
}

#[derive(Default)]
struct Node<'a> {
    children: BTreeMap<&'a str, Node<'a>>,
    has_processes: bool,
}

impl<'a> Node<'a> {
    fn insert(&mut self, path: &'a str, has_processes: bool) {
        let mut node = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            node = node.children.entry(name).or_default();
        }
        node.has_processes |= has_processes;
    }

    fn is_populated(&self) -> bool {
        self.has_processes || self.children.values().any(Self::is_populated)
    }

    /// Whether a populated container or unit is below.
    fn has_bounded(&self, path: &mut String) -> bool {
        self.children.iter().any(|(name, child)| {
            at_child(path, name, |path| {
                (shape(path) != Shape::Plain && child.is_populated()) || child.has_bounded(path)
            })
        })
    }

    fn select(&self, path: &mut String, chosen: &mut Vec<Group>) {
        if is_shared(path) {
            return;
        }
        let shape = shape(path);
        let is_one = match &shape {
            Shape::Container(container) => return self.choose_container(path, container, chosen),
            Shape::Unit(_) => self.is_populated() && !self.has_bounded(path),
            Shape::Plain => self.has_processes && !self.has_bounded(path),
        };
        if is_one {
            chosen.push(Group { path: path.clone(), shape });
            return;
        }
        for (name, child) in &self.children {
            at_child(path, name, |path| child.select(path, chosen));
        }
    }

    fn choose_container(&self, path: &str, container: &Container, chosen: &mut Vec<Group>) {
        if self.is_populated() {
            chosen.push(Group { path: path.to_owned(), shape: Shape::Container(container.clone()) });
        }
    }
}

fn at_child<T>(path: &mut String, name: &str, act: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('/');
    path.push_str(name);
    let result = act(path);
    path.truncate(length);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(groups: &[(&str, bool)], expect: &[&str]) {
        let found =
            groups.iter().map(|(group, has_processes)| Found { group: (*group).into(), has_processes: *has_processes });
        let found: Vec<_> = found.collect();
        let chosen: Vec<_> = select(&found).into_iter().map(|group| group.path).collect();
        assert_eq!(chosen, expect);
    }

    #[test]
    fn units_are_workloads_and_slices_are_not() {
        check(
            &[
                ("/system.slice", false),
                ("/system.slice/nginx.service", true),
                ("/system.slice/idle.service", false),
                ("/system.slice/app.service", false),
                ("/system.slice/app.service/worker", true),
                ("/init.scope", true),
            ],
            &["/init.scope", "/system.slice/app.service", "/system.slice/nginx.service"],
        );
    }

    #[test]
    fn a_user_manager_gives_way_to_its_units() {
        let user = "/user.slice/user-1000.slice";
        check(
            &[
                (&format!("{user}/user@1000.service"), false),
                (&format!("{user}/user@1000.service/init.scope"), true),
                (&format!("{user}/user@1000.service/app.slice/web.service"), true),
                (&format!("{user}/session-3.scope"), true),
            ],
            &[
                "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service",
                "/user.slice/user-1000.slice/user@1000.service/init.scope",
            ],
        );
    }

    #[test]
    fn a_container_is_one_whatever_is_inside() {
        let id = "a".repeat(64);
        check(
            &[
                (&format!("/docker/{id}"), false),
                (&format!("/docker/{id}/system.slice/inner.service"), true),
                ("/docker", false),
            ],
            &[&format!("/docker/{id}")],
        );
    }

    #[test]
    fn plain_groups_take_their_subtree_with_them() {
        check(
            &[("/batch", true), ("/batch/a", true), ("/batch/b", false), ("/empty", false), ("/deep/er", true)],
            &["/batch", "/deep/er"],
        );
    }

    #[test]
    fn a_plain_group_around_units_is_not_one() {
        check(&[("/outer", true), ("/outer/x.service", true)], &["/outer/x.service"]);
        check(&[("/outer", true), ("/outer/x.service", false)], &["/outer"]);
    }

    #[test]
    fn shared_groups() {
        for (path, shared) in [
            ("/", true),
            ("/user.slice/user-0.slice/session-c1.scope", true),
            ("/system.slice/x.service", false),
            ("/session-manager.service", false),
        ] {
            assert_eq!(is_shared(path), shared, "{path}");
        }
    }
}
