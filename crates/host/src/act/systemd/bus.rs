//! Talks to systemd over D-Bus, waiting for each answer.

use super::super::{ActError, patience::Patience};
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use zbus::{Connection, OwnedObjectPath, Type, Variant, conn::Builder, proxy::CacheProperties};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: (&str, &str) = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager");
const UNIT: &str = "org.freedesktop.systemd1.Unit";
/// A tick must not hang on a systemd that does: an exchange may take so long, its connection and all its calls together.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to systemd, made anew after it broke.
///
/// Always by way of a message bus: on its own socket (`/run/systemd/private`) systemd signs answers with a name that the
/// D-Bus specification does not allow there, and zbus refuses them.
pub(super) struct Bus {
    /// The system bus where `None`.
    address: Option<String>,
    connection: Mutex<Option<Connection>>,
    patience: Patience,
}

impl Bus {
    pub(super) fn at(address: &str) -> Self {
        Self::new(Some(address.to_owned()))
    }

    const fn new(address: Option<String>) -> Self {
        let patience = Patience::with("systemd", "see journalctl _PID=1");
        Self { address, connection: Mutex::new(None), patience }
    }

    /// The systemd of this machine.
    pub(super) fn of_machine() -> Result<Self, ActError> {
        if super::systemd_runs(Path::new("/")) {
            return Ok(Self::new(None));
        }
        let why = "systemd is not the init of this machine; cgroup files are used instead".to_owned();
        Err(ActError::Unsafe { place: "/run/systemd/system".to_owned(), why })
    }

    /// systemd's version; shows that it answers.
    pub(super) fn version(&self) -> Result<String, ActError> {
        self.call("Manager.Version", async |connection| property(&connection, MANAGER.0, MANAGER.1, "Version").await)
    }

    /// A property of a unit.
    pub(super) fn get<T>(&self, unit: &str, interface: &str, name: &str) -> Result<T, ActError>
    where
        T: serde::de::DeserializeOwned + Type,
    {
        self.call(&format!("{name} of {unit}"), async |connection| {
            let path = load(&connection, unit).await?;
            property(&connection, &path, interface, name).await
        })
    }

    /// Sets a property of a unit until the next boot.
    pub(super) fn set(&self, unit: &str, name: &str, value: &Variant<'static>) -> Result<(), ActError> {
        self.call(&format!("SetUnitProperties {name} of {unit}"), async |connection| {
            let until_boot = true;
            let body = (unit, until_boot, vec![(name, value)]);
            proxy(&connection, MANAGER.0, MANAGER.1).await?.call::<_, _, ()>("SetUnitProperties", &body).await
        })
    }

    /// Runs one exchange to its end. After one that had no answer in time, the next ones are not begun for a while.
    fn call<T>(&self, what: &str, exchange: impl AsyncFn(Connection) -> zbus::Result<T>) -> Result<T, ActError> {
        if tokio::runtime::Handle::try_current().is_ok() {
            let remedy = "call executors from a thread of their own";
            return Err(ActError::Call { place: what.to_owned(), said: "called from async code".to_owned(), remedy });
        }
        self.patience.ask(|| {
            let answer = zbus::block_on(async { tokio::time::timeout(PATIENCE, self.attempt(exchange)).await });
            let answer = answer.map_err(|_| self.patience.silence(what))?;
            answer.map_err(|error| explain(what, &error))
        })
    }

    /// Once over the connection that is there; after an error of the connection itself, once over a new one.
    async fn attempt<T>(&self, exchange: impl AsyncFn(Connection) -> zbus::Result<T>) -> zbus::Result<T> {
        // Taken out meanwhile: one that is given up while it waits is not used again.
        let kept = self.kept().take();
        if let Some(connection) = kept {
            let answer = exchange(connection.clone()).await;
            if !answer.as_ref().is_err_and(is_broken) {
                *self.kept() = Some(connection);
                return answer;
            }
        }
        let connection = self.connect().await?;
        let answer = exchange(connection.clone()).await;
        *self.kept() = Some(connection);
        answer
    }

    fn kept(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> zbus::Result<Connection> {
        let builder = self.address.as_ref().map_or_else(Builder::system, |address| Builder::address(address.as_str()));
        builder.build().await
    }
}

/// The path of a unit, loaded where it is not: a stopped service keeps its limits, a vanished scope does not exist.
async fn load(connection: &Connection, unit: &str) -> zbus::Result<String> {
    let manager = proxy(connection, MANAGER.0, MANAGER.1).await?;
    let (path,): (OwnedObjectPath,) = manager.call("LoadUnit", &(unit,)).await?;
    let state: String = property(connection, path.as_str(), UNIT, "LoadState").await?;
    if state == "not-found" {
        return Err(zbus::fdo::Error::FileNotFound(format!("{unit} does not exist")).into());
    }
    Ok(path.as_str().to_owned())
}

async fn property<T>(connection: &Connection, path: &str, interface: &str, name: &str) -> zbus::Result<T>
where
    T: serde::de::DeserializeOwned + Type,
{
    proxy(connection, path, interface).await?.get_property(name).await
}

async fn proxy<'a>(connection: &Connection, path: &'a str, interface: &'a str) -> zbus::Result<zbus::Proxy<'a>> {
    let builder = zbus::proxy::Builder::new(connection).destination(SYSTEMD).path(path).interface(interface);
    builder.cache_properties(CacheProperties::No).build().await
}

fn is_broken(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::InputOutput(_) | zbus::Error::Handshake(_) | zbus::Error::Connection(..))
}

fn explain(what: &str, error: &zbus::Error) -> ActError {
    use zbus::fdo::Error as Said;
    let remedy = match error {
        zbus::Error::FDO(said) => match said.as_ref() {
            Said::FileNotFound(_) => return ActError::Gone { place: what.to_owned() },
            Said::AccessDenied(_) | Said::InteractiveAuthorizationRequired(_) | Said::AuthFailed(_) => {
                "run as root, or allow org.freedesktop.systemd1.manage-units in polkit"
            }
            Said::UnknownProperty(_) | Said::PropertyReadOnly(_) => "this systemd does not know the property",
            _ => "see journalctl _PID=1",
        },
        zbus::Error::MethodError(name, ..) if name.ends_with("NoSuchUnit") => {
            return ActError::Gone { place: what.to_owned() };
        }
        _ if is_broken(error) => "is systemd running, and is dbus installed?",
        _ => "see journalctl _PID=1",
    };
    ActError::Call { place: what.to_owned(), said: error.to_string(), remedy }
}
