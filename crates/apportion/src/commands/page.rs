//! Serves the page beside the loop.

use super::control::Control;
use crate::{config::Config, daemon, web};
use anyhow::{Context as _, bail};
use std::{
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// Bytes of a token made for one run.
const TOKEN_BYTES: usize = 32;

/// A page being served; it ends with this value.
pub(super) struct Page {
    /// Where it is.
    pub(super) url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    control: Option<PathBuf>,
}

/// Serves the page where `listen` says, or not at all for `off`.
pub(super) fn serve(
    config: &Config,
    listen: &str,
    store: &Path,
    assembled: &daemon::Assembled,
) -> anyhow::Result<Option<Page>> {
    if listen == "off" {
        return Ok(None);
    }
    let address: SocketAddr =
        listen.parse().with_context(|| format!("{listen:?}: give ADDRESS:PORT, e.g. 127.0.0.1:7070, or off"))?;
    let given = secret(config, "token")?;
    let token = match given {
        Some(token) => Some(token),
        None if address.ip().is_loopback() => Some(new_token()?),
        None => None,
    };
    let tls = tls(config);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = web::Server::bind(web::Listen { address, token: token.clone(), tls })?;
    let url = format!("{scheme}://{}", server.address()?);
    let control = token.filter(|_| scheme == "http" && address.ip().is_loopback());
    let control = control.map(|token| Control { url: url.clone(), token }.leave(store)).transpose()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (views, backend) = (assembled.views.clone(), Arc::clone(&assembled.backend));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).max_blocking_threads(4).enable_all().build()?;
    let thread = std::thread::Builder::new().name("page".to_owned()).spawn(move || {
        let stopped = async {
            let _ = stopped.await;
        };
        if let Err(error) = runtime.block_on(server.run(views, backend, stopped)) {
            tracing::error!("{error}");
        }
    })?;
    Ok(Some(Page { url, stop: Some(stop), thread: Some(thread), control }))
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(control) = self.control.take() {
            let _ = std::fs::remove_file(control);
        }
    }
}

fn secret(config: &Config, name: &str) -> anyhow::Result<Option<String>> {
    let Some(path) = config.secrets.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists()) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
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
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("/dev/urandom cannot be read")?;
    Ok(crate::learn::hex(bytes))
}
