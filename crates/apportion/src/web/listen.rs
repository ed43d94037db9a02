//! Where the page is served, and the rule that nothing but loopback is served without a token and TLS.

use super::{
    Backend, View,
    access::Gate,
    router::{Effects, router},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use hyper_util::rt::TokioTimer;
use rustls::{
    ServerConfig,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// The port of the page when none is configured.
pub const DEFAULT_PORT: u16 = 7070;
/// A shorter token could be guessed.
const TOKEN_LEAST_BYTES: usize = 16;
/// A client that is slower than this to say what it wants is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// What is under way at the end may take this long.
const GRACE: Duration = Duration::from_secs(3);

/// Where and to whom the page is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Who presents it may write and, away from loopback, read. Without one nobody may write.
    pub token: Option<String>,
    /// Certificate chain and private key, PEM files.
    pub tls: Option<TlsFiles>,
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, DEFAULT_PORT).into(), token: None, tls: None }
    }
}

impl Listen {
    /// Checks the rule and reads the certificate.
    ///
    /// # Errors
    /// [`ListenError`], as [`Server::bind`] gives it.
    pub fn check(&self) -> Result<Option<Arc<ServerConfig>>, ListenError> {
        check_exposure(self)?;
        self.tls.as_ref().map(read_tls).transpose()
    }
}

/// Files for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Why the page cannot be served. Says what, where and what to do; nothing is listening.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not loopback, and no token or no TLS.
    #[error("the page would be open to the network on {address} without {missing}: {remedy}, or listen on 127.0.0.1")]
    Exposed {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        missing: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The token is too short.
    #[error(
        "the token has {length} bytes: give at least {TOKEN_LEAST_BYTES}, for instance from `openssl rand -hex 24`"
    )]
    WeakToken {
        /// Its length.
        length: usize,
    },
    /// A file of the certificate or key.
    #[error("{}: {what}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What was wrong and what to do.
        what: String,
    },
    /// The address could not be taken.
    #[error("cannot listen on {address}: {error}; is another one running? Choose another port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The server ended by itself.
    #[error("the page on {address} is no longer served: {error}")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A bound listener: the port is taken, nothing is answered yet.
#[derive(Debug)]
pub struct Server {
    listen: Listen,
    listener: std::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Server {
    /// Checks as [`Listen::check`] does, and takes the port.
    ///
    /// # Errors
    /// [`ListenError`]; the program should not start.
    pub fn bind(listen: Listen) -> Result<Self, ListenError> {
        let tls = listen.check()?;
        let taken = |error| ListenError::Bind { address: listen.address, error };
        let listener = std::net::TcpListener::bind(listen.address).map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        Ok(Self { listen, listener, tls })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system said.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, then finishes what is under way (at most a few seconds). All that one process serves shares its
    /// [`Effects`].
    ///
    /// # Errors
    /// [`ListenError::Serve`] when the server ends by itself.
    pub async fn run(
        self,
        views: watch::Receiver<Arc<View>>,
        backend: Arc<dyn Backend>,
        effects: Effects,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ListenError> {
        let address = self.listen.address;
        let gate = Gate::new(self.listen.token, address.ip().is_loopback(), self.tls.is_some());
        let (stopping, stopped) = watch::channel(false);
        let service = router(views, backend, effects, gate, stopped).into_make_service();
        let handle = Handle::new();
        tokio::spawn(end_with(stop, stopping, handle.clone()));
        let served = match self.tls {
            Some(tls) => {
                let server = axum_server::from_tcp_rustls(self.listener, RustlsConfig::from_config(tls));
                prepared(server, handle)
                    .map(|server| server.serve(service))
                    .map_err(|error| ListenError::Serve { address, error })?
                    .await
            }
            None => {
                let server = axum_server::from_tcp(self.listener);
                prepared(server, handle)
                    .map(|server| server.serve(service))
                    .map_err(|error| ListenError::Serve { address, error })?
                    .await
            }
        };
        served.map_err(|error| ListenError::Serve { address, error })
    }
}

/// Ends event streams first, since they never end by themselves, then the rest.
async fn end_with(stop: impl Future<Output = ()>, stopping: watch::Sender<bool>, handle: Handle<SocketAddr>) {
    stop.await;
    stopping.send_replace(true);
    handle.graceful_shutdown(Some(GRACE));
}

fn prepared<A>(
    server: std::io::Result<axum_server::Server<SocketAddr, A>>,
    handle: Handle<SocketAddr>,
) -> std::io::Result<axum_server::Server<SocketAddr, A>> {
    let mut server = server?.http1_only().handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    Ok(server)
}

fn read_tls(files: &TlsFiles) -> Result<Arc<ServerConfig>, ListenError> {
    let wrong = |path: &Path, what: String| ListenError::Tls { path: path.to_owned(), what };
    let unreadable = |path: &Path, error: pem::Error, holds: &str| {
        wrong(path, format!("{error}; give a PEM file that holds {holds} and that this user may read"))
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let certificates = certificates.map_err(|error| unreadable(&files.certificate, error, "the certificate chain"))?;
    if certificates.is_empty() {
        return Err(wrong(
            &files.certificate,
            "no certificate in it; give the chain as PEM, the server's own first".into(),
        ));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error, "the private key"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| {
            wrong(&files.key, format!("{error}; the key must be the one of {}", files.certificate.display()))
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn check_exposure(listen: &Listen) -> Result<(), ListenError> {
    if let Some(length) = listen.token.as_ref().map(String::len).filter(|length| *length < TOKEN_LEAST_BYTES) {
        return Err(ListenError::WeakToken { length });
    }
    let exposed = |missing, remedy| Err(ListenError::Exposed { address: listen.address, missing, remedy });
    match (listen.address.ip().is_loopback(), &listen.token, &listen.tls) {
        (true, ..) | (false, Some(_), Some(_)) => Ok(()),
        (false, None, Some(_)) => exposed("a token", "set a token"),
        (false, Some(_), None) => exposed("TLS", "set a certificate and a key"),
        (false, None, None) => exposed("a token and TLS", "set a token, a certificate and a key"),
    }
}
