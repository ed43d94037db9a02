//! `/proc/PID/mountinfo` and `/proc/PID/cgroup`, as far as cgroups are concerned.

use super::{Syntax, Version};
use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// A mounted cgroup tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Which interface.
    pub version: Version,
    /// The group that shows as the top of the mount (`/`, or a container's own group).
    pub top: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Names of the version 1 controllers bound to it; empty for version 2.
    pub controllers: Vec<String>,
}

/// Which group of one tree a process is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Names of the version 1 controllers of the tree; empty for version 2.
    pub controllers: Vec<String>,
    /// The group's path from the top of the tree.
    pub group: PathBuf,
}

/// The cgroup mounts of a mountinfo file, in the order in which they were made; a mount point that was mounted over
/// counts once, as it is now.
///
/// # Errors
/// A line that is not as proc(5) has it.
pub fn parse_mountinfo(bytes: &[u8]) -> Result<Vec<Mount>, Syntax> {
    let mut mounts: Vec<Mount> = Vec::new();
    for (line, content) in super::parse::lines(bytes) {
        let (place, mount) =
            mount_of(content).ok_or_else(|| Syntax::new(line, content, "a mountinfo line (see proc(5))"))?;
        mounts.retain(|earlier| earlier.mount_point != place);
        mounts.extend(mount);
    }
    Ok(mounts)
}

/// The mount point of a line, and the mount where it is a cgroup tree.
fn mount_of(line: &[u8]) -> Option<(PathBuf, Option<Mount>)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let (top, mount_point) = (unescape(fields.nth(3)?), unescape(fields.next()?));
    let mut after = fields.skip_while(|field| *field != b"-").skip(1);
    let (kind, _source) = (after.next()?, after.next()?);
    let options = after.next().unwrap_or_default();
    let mount = |version, controllers| Mount { version, top, mount_point: mount_point.clone(), controllers };
    let mount = match kind {
        b"cgroup2" => Some(mount(Version::V2, Vec::new())),
        b"cgroup" => Some(mount(Version::V1, names(options))),
        _ => None,
    };
    Some((mount_point, mount))
}

fn names(list: &[u8]) -> Vec<String> {
    let names = list.split(|byte| *byte == b',').filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// `\040` and the like are the bytes that would break the line.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = (*first == b'\\').then(|| tail.get(..3).and_then(octal)).flatten();
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// The groups of one process, from `/proc/PID/cgroup`.
///
/// # Errors
/// A line that is not `id:controllers:path`.
pub fn parse_membership(bytes: &[u8]) -> Result<Vec<Membership>, Syntax> {
    super::parse::lines(bytes)
        .map(|(line, content)| {
            let mut fields = content.splitn(3, |byte| *byte == b':');
            let (_id, controllers, group) = (fields.next(), fields.next(), fields.next());
            let malformed = || Syntax::new(line, content, "id:controllers:path");
            let group = group.filter(|group| group.starts_with(b"/")).ok_or_else(malformed)?;
            let controllers = names(controllers.unwrap_or_default());
            Ok(Membership { controllers, group: PathBuf::from(OsString::from_vec(group.to_vec())) })
        })
        .collect()
}

impl Mount {
    /// The path of a group below this mount; `None` when the mount does not show it.
    #[must_use]
    pub fn below(&self, group: &Path) -> Option<PathBuf> {
        let hidden = |path: &Path| path.components().any(|part| part.as_os_str() == "..");
        if hidden(group) || hidden(&self.top) {
            return None;
        }
        group.strip_prefix(&self.top).ok().map(|rest| Path::new("/").join(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_both_versions_and_unescapes() {
        let text = b"22 27 0:21 / /proc rw - proc proc rw\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            38 31 0:38 /docker/ab /mnt/my\\040tree rw,relatime - cgroup2 cgroup2 rw\n";
        let mounts = parse_mountinfo(text).unwrap();
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].controllers, ["rw", "cpu", "cpuacct"]);
        assert_eq!(mounts[1].mount_point, Path::new("/mnt/my tree"));
        assert_eq!(mounts[1].below(Path::new("/docker/ab/x")), Some("/x".into()));
        assert_eq!(mounts[1].below(Path::new("/docker/abc")), None);
        assert_eq!(mounts[0].below(Path::new("/../other")), None);
    }

    #[test]
    fn a_mount_over_another_hides_it() {
        let text = b"1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n2 1 0:2 / /cg rw - tmpfs tmpfs rw\n";
        assert_eq!(parse_mountinfo(text).unwrap(), []);
    }

    #[test]
    fn bad_lines_are_named() {
        let error = parse_mountinfo(b"22 27 0:21 / /proc rw - proc proc rw\nrubbish\n").unwrap_err();
        assert_eq!((error.line, error.content.as_str()), (2, "rubbish"));
        let error = parse_membership(b"0::/a\n3:cpu\n").unwrap_err();
        assert_eq!((error.line, error.content.as_str()), (2, "3:cpu"));
    }

    #[test]
    fn a_group_may_hold_colons() {
        let found = parse_membership(b"4:cpu,cpuacct:/a:b\n0::/\n").unwrap();
        assert_eq!(found[0].group, Path::new("/a:b"));
        assert_eq!(found[0].controllers, ["cpu", "cpuacct"]);
        assert!(found[1].controllers.is_empty());
    }
}
