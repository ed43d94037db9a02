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
        fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
        net::{SocketAddr, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// How often it is looked whether the file is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

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
        Ok(Self { path: path.to_owned(), listener: bind_alone(path)? })
    }

    /// Serves until `stop` ends, with the [`Effects`] of its process; at the same path again where the file is lost, as with a disk that is
    /// exchanged.
    ///
    /// # Errors
    /// What the system said.
    pub async fn run(
        mut self,
        views: watch::Receiver<Arc<View>>,
        backend: Arc<dyn Backend>,
        effects: Effects,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (_stopping, stopped) = watch::channel(false);
        let service = router(views, backend, effects, Gate::owner(), stopped).into_make_service();
        let mut stop = pin!(stop);
        loop {
            let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
            let own = fs::metadata(&self.path).ok().map(|file| (file.dev(), file.ino()));
            let service = service.clone();
            self.listener = tokio::select! {
                served = async { axum::serve(listener, service).await } => return served,
                () = &mut stop => return Ok(()),
                anew = bound_anew(&self.path, own) => anew,
            }
        }
    }
}

/// The path bound once more, when nobody is reached there any longer.
async fn bound_anew(path: &Path, own: Option<(u64, u64)>) -> UnixListener {
    let is_own = || fs::metadata(path).is_ok_and(|file| Some((file.dev(), file.ino())) == own);
    let is_free = || {
        let reached = UnixStream::connect(path).map_err(|error| error.kind());
        matches!(reached, Err(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused))
    };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !is_own()
            && is_free()
            && let Ok(listener) = bind_alone(path)
        {
            return listener;
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
        listener.set_nonblocking(true)?;
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
