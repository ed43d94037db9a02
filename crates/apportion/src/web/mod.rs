//! What people see over HTTP: the dashboard, the JSON API, server-sent events and metrics.
//!
//! The loop owns a [`Publisher`] and calls [`Publisher::publish`] after each tick; everything else is asked of a [`Backend`].
//! Nothing here reads the machine or decides anything.

mod access;
mod api;
mod assets;
mod backend;
mod events;
mod health;
mod listen;
mod metrics;
mod problem;
mod publish;
mod router;
mod socket;
mod view;

pub(crate) use access::is_loopback_name;
pub use api::workloads_json;
pub use backend::{Action, ActionError, ActionErrorKind, Backend, DecisionQuery, ForecasterScore, Language};
pub use listen::{DEFAULT_PORT, Listen, ListenError, Server, TlsFiles};
pub use publish::{Publisher, Ticked};
pub use router::Effects;
pub use socket::OwnerSocket;
pub use view::{Footing, ModelNow, Totals, View, WorkloadNow};
