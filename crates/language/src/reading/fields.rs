//! The fields of a reading, with the names that they have in JSON.

pub use apportion_core::instruction::{Effect, Repeat};
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

/// What it is about. Unlike [`apportion_core::Resource`] it also knows demand and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Every resource.
    All,
    /// Compute, in cores.
    Cpu,
    /// Memory, in bytes.
    Memory,
    /// Disk space in bytes, or throughput in bytes per second.
    Storage,
    /// Bandwidth, in bytes per second.
    Network,
    /// Demand: traffic, users, orders.
    Requests,
    /// Copies of a workload.
    Replicas,
}

/// What an amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Cores.
    Cores,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Copies.
    Replicas,
    /// Times usual.
    X,
    /// Percent of the whole.
    Percent,
}

/// Which way a report asks to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More.
    Up,
    /// Less.
    Down,
}

/// How important a workload is, or how bad a lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Comes first; severe.
    Critical,
    /// Before others; strong.
    High,
    /// As others.
    Normal,
    /// After others; slight.
    Low,
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
