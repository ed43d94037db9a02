//! The scripts of the Debian package, with stand-ins for the tools that they call.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

/// Runs the script before a removal with an `apportion` that ends with `status`; gives its own status and what was said and called.
fn prerm(action: &str, status: u8, has_store: bool) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("apportion.db");
    if has_store {
        fs::write(&store, "").unwrap();
    }
    for (tool, text) in [
        ("apportion", format!("#!/bin/sh\necho called apportion $@\nexit {status}\n")),
        ("systemctl", "#!/bin/sh\n".into()),
    ] {
        let path = folder.path().join(tool);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/prerm");
    let mut command = Command::new("sh");
    command.arg(script).arg(action).env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    let output = command.env("APPORTION_STORE", &store).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[test]
fn a_removal_puts_every_limit_back_and_is_never_stopped() {
    let check = |action, status, has_store, calls: bool, complains: bool| {
        let (code, said) = prerm(action, status, has_store);
        assert_eq!(code, Some(0), "{action} {status}: {said}");
        assert_eq!(said.contains("called apportion rollback --all"), calls, "{action} {status}: {said}");
        assert_eq!(said.contains("not all of it could be put back"), complains, "{action} {status}: {said}");
    };
    check("remove", 0, true, true, false);
    check("remove", 3, true, true, false);
    check("remove", 1, true, true, true);
    check("remove", 127, true, true, true);
    check("remove", 0, false, false, false);
    check("upgrade", 0, true, false, false);
    check("deconfigure", 0, true, false, false);
}

#[test]
fn the_package_has_the_script() {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/deb.sh");
    assert!(fs::read_to_string(build).unwrap().contains("packaging/prerm \"$root/DEBIAN/prerm\""));
}
