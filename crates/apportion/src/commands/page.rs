//! Serves the page and the commands' socket beside the loop.

use super::control;
use crate::{config::Config, daemon, web};
use anyhow::{Context as _, bail};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};
use tokio::sync::watch;

/// Bytes of a token made for one run.
const TOKEN_BYTES: usize = 32;

/// What is served beside a loop; it ends with this value.
pub(super) struct Served {
    /// Where the page is; `None` where it is off.
    pub(super) url: Option<String>,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    token: Option<PathBuf>,
}

/// Serves the page where `listen` says, or not at all for `off`, and the commands' socket always.
pub(super) fn serve(
    config: &Config,
    listen: &str,
    store: &Path,
    assembled: &daemon::Assembled,
) -> anyhow::Result<Served> {
    let page = if listen == "off" { None } else { Some(Page::bind(config, listen)?) };
    let url = page.as_ref().map(Page::url).transpose()?;
    let made = page.as_ref().filter(|page| page.is_made).and_then(|page| page.token.clone());
    let token = made.zip(url.as_deref()).map(|(token, url)| leave(store, &token, url)).transpose()?;
    let (stop, stopped) = watch::channel(());
    let thread = start(page.map(|page| page.server), socket(store), assembled, &stopped)?;
    Ok(Served { url, stop: Some(stop), thread: Some(thread), token })
}

/// Serves on a thread of its own until the sender of `stopped` is gone.
fn start(
    page: Option<web::Server>,
    socket: Option<web::OwnerSocket>,
    assembled: &daemon::Assembled,
    stopped: &watch::Receiver<()>,
) -> anyhow::Result<JoinHandle<()>> {
    let (views, backend) = (assembled.views.clone(), Arc::clone(&assembled.backend));
    let until = || {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.changed().await;
        }
    };
    let (page_end, socket_end) = (until(), until());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).max_blocking_threads(4).enable_all().build()?;
    let serve = async move {
        let (of_page, effects) = (Arc::clone(&backend), web::Effects::default());
        let page = async {
            let Some(page) = page else { return Ok(()) };
            page.run(views.clone(), of_page, effects.clone(), page_end).await
        };
        let socket = async {
            let Some(socket) = socket else { return Ok(()) };
            socket.run(views.clone(), backend, effects.clone(), socket_end).await
        };
        let (page, socket) = tokio::join!(page, socket);
        let errors = [page.err().map(|error| error.to_string()), socket.err().map(|error| error.to_string())];
        errors.into_iter().flatten().for_each(|error| tracing::error!("{error}"));
    };
    Ok(std::thread::Builder::new().name("page".to_owned()).spawn(move || runtime.block_on(serve))?)
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(token) = self.token.take() {
            let _ = fs::remove_file(token);
        }
    }
}

/// Whether the page can be served as the configuration says; if not, the key that is at fault, and why.
pub(super) fn check(config: &Config) -> Result<(), (&'static str, anyhow::Error)> {
    let Ok(address) = config.listen.parse() else { return Ok(()) };
    let token = secret(config, "token").map_err(|error| ("secrets", error))?;
    let listen = web::Listen { address, token, tls: tls(config) };
    listen.check().map(|_| ()).map_err(|error| {
        let key = if matches!(error, web::ListenError::Exposed { .. }) { "listen" } else { "secrets" };
        (key, error.into())
    })
}

/// A page whose port is taken.
struct Page {
    server: web::Server,
    scheme: &'static str,
    token: Option<String>,
    /// Whether the token was made for this run.
    is_made: bool,
}

impl Page {
    fn bind(config: &Config, listen: &str) -> anyhow::Result<Self> {
        let address: SocketAddr =
            listen.parse().with_context(|| format!("{listen:?}: give ADDRESS:PORT, e.g. 127.0.0.1:7070, or off"))?;
        let given = secret(config, "token")?;
        let is_made = given.is_none() && address.ip().is_loopback();
        let token = if is_made { Some(new_token()?) } else { given };
        let tls = tls(config);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = web::Server::bind(web::Listen { address, token: token.clone(), tls })?;
        Ok(Self { server, scheme, token, is_made })
    }

    fn url(&self) -> anyhow::Result<String> {
        Ok(format!("{}://{}", self.scheme, self.server.address()?))
    }
}

/// A loop goes on without it; the commands then say that they do not reach it.
fn socket(store: &Path) -> Option<web::OwnerSocket> {
    let path = control::socket(store);
    let bound = web::OwnerSocket::bind(&path);
    bound
        .inspect_err(|error| {
            let remedy =
                "stop the loop to roll back or hold, or give --store a shorter path in a folder that can be written";
            tracing::warn!("{}: {error}, so commands do not reach this loop; {remedy}", path.display());
        })
        .ok()
}

/// Leaves the token of this run beside the store, for the page's lock.
fn leave(store: &Path, token: &str, url: &str) -> anyhow::Result<PathBuf> {
    let path = store.with_extension("control");
    // A file of an earlier run may have a wider mode, which opening would keep.
    let _ = fs::remove_file(&path);
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(serde_json::json!({ "url": url, "token": token }).to_string().as_bytes())?;
    Ok(path)
}

fn secret(config: &Config, name: &str) -> anyhow::Result<Option<String>> {
    let Some(path) = config.secrets.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists()) else {
        return Ok(None);
    };
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        bail!("{} is empty; write the token into it, or remove it", path.display());
    }
    Ok(Some(text))
}

fn tls(config: &Config) -> Option<web::TlsFiles> {
    let folder = config.secrets.as_ref()?;
    let files = web::TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    files.certificate.exists().then_some(files)
}

/// A token for this run, from the kernel's random numbers.
fn new_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("/dev/urandom cannot be read")?;
    Ok(crate::learn::hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_token_of_a_run_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = leave(&folder.path().join("apportion.db"), &"t".repeat(32), "http://127.0.0.1:1").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(path).unwrap().contains(&"t".repeat(32)));
    }
}
