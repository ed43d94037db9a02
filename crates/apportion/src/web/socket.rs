//! The same API on a socket in the file system, for the store's owner alone: the commands reach a loop there, wherever its page is
//! served, or where there is none.

use super::{Backend, View, access::Gate, router::router};
use rustix::{fs::Mode, process::umask};
use std::{
    future::Future,
    io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// Nobody but the owner may connect.
const UMASK: Mode = Mode::from_raw_mode(0o177);

/// A bound socket: nothing is answered yet. Its file goes with it.
#[derive(Debug)]
pub struct OwnerSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl OwnerSocket {
    /// Binds the path, also where an earlier run left a socket behind: whoever has the store's lock may.
    ///
    /// # Errors
    /// What the system said; a path may have 107 bytes.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let _ = std::fs::remove_file(path);
        let before = umask(UMASK);
        let bound = UnixListener::bind(path);
        umask(before);
        let listener = bound?;
        listener.set_nonblocking(true)?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Serves until `stop` ends.
    ///
    /// # Errors
    /// What the system said.
    pub async fn run(
        self,
        views: watch::Receiver<Arc<View>>,
        backend: Arc<dyn Backend>,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (_stopping, stopped) = watch::channel(false);
        let service = router(views, backend, Gate::owner(), stopped).into_make_service();
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        tokio::select! {
            served = async { axum::serve(listener, service).await } => served,
            () = stop => Ok(()),
        }
    }
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
