//! Containers and batch jobs, recognised by the pattern of their group's path, and described by the files that their
//! runtimes keep.

use crate::cgroupfs::{Error, Reader, Syntax};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// A container or a batch job, as its group's path tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What made it: `docker`, `containerd`, `crio`, `podman`, `kubernetes` where the path does not tell which, `lxc`,
    /// `machine` (systemd-nspawn, libvirt), `slurm`.
    pub runtime: &'static str,
    /// Its number or name there.
    pub id: String,
    /// The uid of its pod.
    pub pod_uid: Option<String>,
    /// The pod's class: `guaranteed`, `burstable`, `besteffort`.
    pub qos: Option<&'static str>,
}

/// Prefix of a group's name, and the runtime that names groups so.
const PREFIXES: [(&str, &str); 5] = [
    ("docker-", "docker"),
    ("cri-containerd-", "containerd"),
    ("crio-", "crio"),
    ("libpod-", "podman"),
    ("nerdctl-", "containerd"),
];

/// The container or job that a group is; `None` for any other group, and for groups inside of one.
#[must_use]
pub fn identify(path: &str) -> Option<Container> {
    let (parents, name) = path.rsplit_once('/')?;
    let (runtime, id) = by_name(parents, name)?;
    let pod_uid = pod_uid(parents);
    let qos = pod_uid.is_some().then(|| qos(parents));
    Some(Container { runtime, id, pod_uid, qos })
}

fn by_name(parents: &str, name: &str) -> Option<(&'static str, String)> {
    let bare = name.strip_suffix(".scope").unwrap_or(name);
    if let Some(id) = bare.strip_prefix("machine-").filter(|_| parents.ends_with("/machine.slice")) {
        return Some(("machine", id.replace("\\x2d", "-")));
    }
    if let Some(id) = bare.strip_prefix("lxc.payload.") {
        return Some(("lxc", id.to_owned()));
    }
    if parents.ends_with("/lxc") {
        return Some(("lxc", name.to_owned()));
    }
    if bare.starts_with("job_") && parents.split('/').any(|part| part.starts_with("slurm")) {
        return Some(("slurm", name.to_owned()));
    }
    by_number(parents, bare)
}

/// Containers named by 64 hexadecimal digits, with or without a prefix.
fn by_number(parents: &str, bare: &str) -> Option<(&'static str, String)> {
    // `kubepods-burstable-podUID.slice:cri-containerd:ID`, when a runtime is given a systemd path without systemd.
    let (before, last) = bare.rsplit_once(':').unwrap_or(("", bare));
    let prefixed = PREFIXES.iter().find_map(|(prefix, runtime)| Some((*runtime, last.strip_prefix(prefix)?)));
    let (runtime, id) = prefixed.unwrap_or_else(|| (runtime_of_parents(parents, before), last));
    let is_number = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| (runtime, id.to_owned()))
}

fn runtime_of_parents(parents: &str, before: &str) -> &'static str {
    let has = |text: &str| parents.contains(text) || before.contains(text);
    match () {
        () if has("containerd") => "containerd",
        () if has("kubepods") => "kubernetes",
        () if has("docker") => "docker",
        () if has("libpod") => "podman",
        () => "container",
    }
}

/// The uid in `.../pod0123-.../` or `...-pod0123_....slice`.
fn pod_uid(parents: &str) -> Option<String> {
    if !parents.contains("kubepods") {
        return None;
    }
    parents.split('/').rev().find_map(|part| {
        let part = part.strip_suffix(".slice").unwrap_or(part);
        let uid = part.strip_prefix("pod").or_else(|| part.split_once("-pod").map(|(_, uid)| uid))?;
        (!uid.is_empty()).then(|| uid.replace('_', "-"))
    })
}

fn qos(parents: &str) -> &'static str {
    match () {
        () if parents.contains("besteffort") => "besteffort",
        () if parents.contains("burstable") => "burstable",
        () => "guaranteed",
    }
}

/// Labels that the runtime's own files know: name, image, Kubernetes names. Empty where they know nothing (or this process
/// may not read them).
///
/// # Errors
/// The runtime's file is there and is no such JSON.
pub(crate) fn describe(
    root: &Path,
    container: &Container,
    reader: &mut Reader,
) -> Result<BTreeMap<String, String>, Error> {
    let id = &container.id;
    if container.runtime == "slurm" || container.runtime == "lxc" || container.runtime == "machine" {
        return Ok(BTreeMap::new());
    }
    let docker = root.join("var/lib/docker/containers").join(id);
    if let Some(labels) = readable(reader.parsed(&docker, "config.v2.json", docker_labels))? {
        return Ok(labels);
    }
    let oci = [
        root.join("run/containerd/io.containerd.runtime.v2.task/k8s.io").join(id),
        root.join("run/containers/storage/overlay-containers").join(id).join("userdata"),
    ];
    for dir in oci {
        if let Some(labels) = readable(reader.parsed(&dir, "config.json", oci_labels))? {
            return Ok(labels);
        }
    }
    Ok(BTreeMap::new())
}

/// Without privilege these files are closed; the container is then known by its number.
fn readable<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
        other => other,
    }
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config", default)]
    config: DockerImage,
}

#[derive(Default, Deserialize)]
struct DockerImage {
    #[serde(rename = "Image", default)]
    image: String,
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Labels from Docker's `config.v2.json`.
///
/// # Errors
/// It is not that JSON.
pub fn docker_labels(bytes: &[u8]) -> Result<BTreeMap<String, String>, Syntax> {
    let config: DockerConfig = json(bytes, "Docker's config.v2.json")?;
    let compose = |key: &str| config.config.labels.as_ref()?.get(key).cloned();
    let labels = [
        ("name", Some(config.name.trim_start_matches('/').to_owned())),
        ("image", Some(config.config.image.clone())),
        ("compose_project", compose("com.docker.compose.project")),
        ("compose_service", compose("com.docker.compose.service")),
    ];
    Ok(present(labels))
}

#[derive(Deserialize)]
struct OciConfig {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Labels from the annotations of an OCI `config.json`, as containerd and CRI-O write them.
///
/// # Errors
/// It is not that JSON.
pub fn oci_labels(bytes: &[u8]) -> Result<BTreeMap<String, String>, Syntax> {
    let annotations = json::<OciConfig>(bytes, "an OCI config.json")?.annotations.unwrap_or_default();
    let any = |keys: [&str; 2]| keys.iter().find_map(|key| annotations.get(*key).cloned());
    let labels = [
        ("namespace", any(["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"])),
        ("pod", any(["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"])),
        ("name", any(["io.kubernetes.cri.container-name", "io.kubernetes.container.name"])),
        ("image", any(["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"])),
        ("role", any(["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"])),
    ];
    Ok(present(labels))
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8], expected: &'static str) -> Result<T, Syntax> {
    serde_json::from_slice(bytes).map_err(|error| {
        let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        let from = error.column().saturating_sub(20).min(line.len());
        Syntax::new(error.line(), &line[from..], expected)
    })
}

fn present<const N: usize>(labels: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    let labels = labels.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    labels.filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn every_runtime_is_recognised() {
        let slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_34.slice";
        for (path, runtime, pod_uid, qos) in [
            (format!("/docker/{ID}"), "docker", None, None),
            (format!("/system.slice/docker-{ID}.scope"), "docker", None, None),
            (format!("{slice}/cri-containerd-{ID}.scope"), "containerd", Some("12-34"), Some("burstable")),
            (format!("{slice}/crio-{ID}.scope"), "crio", Some("12-34"), Some("burstable")),
            (format!("/kubepods/besteffort/podab-cd/{ID}"), "kubernetes", Some("ab-cd"), Some("besteffort")),
            (format!("/kubepods/podab-cd/{ID}"), "kubernetes", Some("ab-cd"), Some("guaranteed")),
            (format!("/system.slice/kubepods-podx.slice:cri-containerd:{ID}"), "containerd", None, None),
            (format!("/machine.slice/libpod-{ID}.scope"), "podman", None, None),
            (format!("/libpod_parent/libpod-{ID}"), "podman", None, None),
            (format!("/default/{ID}"), "container", None, None),
        ] {
            let found = identify(&path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((found.runtime, found.id.as_str()), (runtime, ID), "{path}");
            assert_eq!((found.pod_uid.as_deref(), found.qos), (pod_uid, qos), "{path}");
        }
    }

    #[test]
    fn jobs_and_machines_are_recognised() {
        for (path, runtime, id) in [
            ("/slurm/uid_1000/job_42", "slurm", "job_42"),
            ("/system.slice/slurmstepd.scope/job_42", "slurm", "job_42"),
            ("/lxc.payload.web", "lxc", "web"),
            ("/lxc/web", "lxc", "web"),
            ("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", "machine", "qemu-1-vm"),
        ] {
            let found = identify(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((found.runtime, found.id.as_str()), (runtime, id), "{path}");
        }
    }

    #[test]
    fn other_groups_are_not() {
        for path in ["/", "/system.slice/docker.service", "/docker", "/system.slice/docker-short.scope", "/job_1"] {
            assert_eq!(identify(path), None, "{path}");
        }
    }

    #[test]
    fn descriptions_are_read() {
        let docker = br#"{"Name":"/web","Config":{"Image":"nginx:1","Labels":{"com.docker.compose.service":"front"}}}"#;
        let labels = docker_labels(docker).unwrap();
        assert_eq!(labels["name"], "web");
        assert_eq!((labels["image"].as_str(), labels["compose_service"].as_str()), ("nginx:1", "front"));
        let oci = br#"{"annotations":{"io.kubernetes.cri.sandbox-name":"shop-0","io.kubernetes.cri.image-name":""}}"#;
        assert_eq!(oci_labels(oci).unwrap(), BTreeMap::from([("pod".to_owned(), "shop-0".to_owned())]));
        assert_eq!(docker_labels(b"{\n \"Name\": 3}").unwrap_err().line, 2);
    }
}
