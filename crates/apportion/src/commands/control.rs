//! How a command speaks to a running loop: over its own API, with the token that the loop left beside the store for the
//! store's owner alone.

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Where and how a running loop can be asked.
#[derive(Serialize, Deserialize)]
pub(super) struct Control {
    /// `http://127.0.0.1:7070`.
    pub(super) url: String,
    /// The token of this run.
    pub(super) token: String,
}

impl Control {
    fn path(store: &Path) -> PathBuf {
        store.with_extension("control")
    }

    /// Leaves the way to this loop beside its store.
    pub(super) fn leave(&self, store: &Path) -> anyhow::Result<PathBuf> {
        let path = Self::path(store);
        // A file of an earlier run may have a wider mode, which opening would keep.
        let _ = fs::remove_file(&path);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.with_context(|| format!("{} cannot be written", path.display()))?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        Ok(path)
    }

    /// Finds the way to the loop that has the store.
    pub(super) fn find(store: &Path) -> anyhow::Result<Self> {
        let path = Self::path(store);
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "a running loop has {}, and {} says not how to reach it; stop the loop first, or run it with a page",
                store.display(),
                path.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is broken; restart the loop", path.display()))
    }

    /// Asks the loop to do something; gives what it did, in words.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&serde_json::Value>) -> anyhow::Result<String> {
        let said = self.send(method, path, body)?;
        Ok(said.get("done").and_then(|done| done.as_str()).unwrap_or_default().to_owned())
    }

    /// What the loop shows at a path.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        self.send("GET", path, None)
    }

    fn send(&self, method: &str, path: &str, body: Option<&serde_json::Value>) -> anyhow::Result<serde_json::Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        let body = body.map(ToString::to_string).unwrap_or_default();
        let answer = agent.run(request.body(body)?);
        let mut answer = answer.with_context(|| format!("the loop at {} does not answer", self.url))?;
        let said: serde_json::Value = answer.body_mut().read_json().context("the loop's answer cannot be read")?;
        if !answer.status().is_success() {
            let text = |key: &str| said.get(key).and_then(|value| value.as_str()).unwrap_or_default();
            bail!("{}: {}; {}", text("where"), text("what"), text("remedy"));
        }
        Ok(said)
    }
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_segment() {
        assert_eq!(segment("/system.slice/a b"), "%2Fsystem.slice%2Fa%20b");
        assert_eq!(segment("支付"), "%E6%94%AF%E4%BB%98");
    }

    #[test]
    fn the_way_to_a_loop_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("apportion.db");
        assert!(Control::find(&store).is_err());
        let path = Control { url: "http://127.0.0.1:1".into(), token: "t".repeat(32) }.leave(&store).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Control::find(&store).unwrap().token.len(), 32);
    }
}
