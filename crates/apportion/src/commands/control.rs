//! How a command speaks to a running loop: over its API, on a socket beside the store that only the store's owner may use.

use anyhow::{Context as _, bail};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// The loop itself gives up earlier.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to a running loop.
pub(super) struct Control {
    socket: PathBuf,
}

/// Where the loop that has a store can be reached.
pub(super) fn socket(store: &Path) -> PathBuf {
    store.with_extension("sock")
}

impl Control {
    /// Finds the way to the loop that has the store.
    pub(super) fn find(store: &Path) -> anyhow::Result<Self> {
        let socket = socket(store);
        UnixStream::connect(&socket).with_context(|| {
            format!(
                "{} is in use, and no loop answers at {}: another command has it (try again), or a loop whose log says why \
                 (stop it first)",
                store.display(),
                socket.display()
            )
        })?;
        Ok(Self { socket })
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
        let body = body.map(ToString::to_string).unwrap_or_default();
        let answer = self.exchange(method, path, &body);
        let answer = answer.with_context(|| format!("the loop at {} does not answer", self.socket.display()))?;
        let (status, said) = parse(&answer).context("the loop's answer cannot be read")?;
        if !(200..300).contains(&status) {
            let text = |key: &str| said.get(key).and_then(|value| value.as_str()).unwrap_or_default();
            bail!("{}: {}; {}", text("where"), text("what"), text("remedy"));
        }
        Ok(said)
    }

    /// One exchange in HTTP/1.0, whose answer ends with the connection.
    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n");
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// Status and body of an answer.
fn parse(answer: &[u8]) -> anyhow::Result<(u16, serde_json::Value)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("it breaks off")?;
    let (head, body) = (std::str::from_utf8(&answer[..end])?, &answer[end + 4..]);
    let status = head.split(' ').nth(1).context("it has no status")?.parse()?;
    let said = if body.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(body)? };
    Ok((status, said))
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
    fn answers_are_read_whole_or_not_at_all() {
        let (status, said) = parse(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n{\"done\":\"it\"}").unwrap();
        assert_eq!((status, said["done"].as_str()), (200, Some("it")));
        assert_eq!(parse(b"HTTP/1.0 204 No Content\r\n\r\n").unwrap().0, 204);
        for broken in ["", "HTTP/1.0 200 OK\r\n", "HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n{"] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_socket_that_nobody_serves_is_no_way_to_a_loop() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("apportion.db");
        assert!(Control::find(&store).is_err());
        drop(std::os::unix::net::UnixListener::bind(socket(&store)).unwrap());
        let error = format!("{:#}", Control::find(&store).map(|_| ()).unwrap_err());
        assert!(error.contains("apportion.sock") && error.contains("stop it first"), "{error}");
    }
}
