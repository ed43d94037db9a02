//! The same API on a socket in the file system, for the store's owner alone: the commands reach a loop there, wherever its page is
//! served, or where there is none.

use super::{
    Backend, View,
    access::Gate,
    router::{Effects, router},
};
use std::{
    fs,
    future::Future,
    io,
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

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
        let listener = bind_alone(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Serves until `stop` ends, with the [`Effects`] of its process.
    ///
    /// # Errors
    /// What the system said.
    pub async fn run(
        self,
        views: watch::Receiver<Arc<View>>,
        backend: Arc<dyn Backend>,
        effects: Effects,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (_stopping, stopped) = watch::channel(false);
        let service = router(views, backend, effects, Gate::owner(), stopped).into_make_service();
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        tokio::select! {
            served = async { axum::serve(listener, service).await } => served,
            () = stop => Ok(()),
        }
    }
}

/// Nobody but the owner may connect, from the first moment on: the socket is made in a folder of its own, which only the owner may
/// enter, and moved out once it is closed to others. (A umask would hold for files that other threads make meanwhile, too.)
fn bind_alone(path: &Path) -> io::Result<UnixListener> {
    SocketAddr::from_pathname(path)?;
    let folder = path.with_file_name(format!(".{}", std::process::id()));
    let made = folder.join("s");
    let clear = || {
        let _ = fs::remove_file(&made);
        let _ = fs::remove_dir(&folder);
    };
    clear();
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    clear();
    bound
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
