//! The fields of a reading, with the names that they have in JSON.

pub use apportion_core::instruction::{Direction, Effect, Level, Repeat, Topic, Unit};
use serde::{Deserialize, Serialize};

/// What a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Demand or need will change in a window.
    Event,
    /// A bound on what is allotted.
    Rule,
    /// No changes.
    Hold,
    /// Who is served first.
    Priority,
    /// The state now, asking for more or less.
    Report,
    /// Take back the last change or an earlier instruction.
    Undo,
    /// Asks what was done, is set or is held.
    Question,
    /// Nothing that concerns us, or abuse.
    None,
}

/// What is learnt from a sentence as a whole. Everything else is read exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub topic: Option<Topic>,
    /// How its amount is meant.
    pub effect: Option<Effect>,
    /// Which way it asks to go.
    pub direction: Option<Direction>,
    /// How important or how bad.
    pub level: Option<Level>,
}
