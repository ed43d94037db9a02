//! Sentences in and out. [`wording`] turns a typed decision into words, every number of which is in the record;
//! it gives words, never acts.

pub mod local;
pub mod opinion;
pub mod reading;
pub mod wording;

use serde::{Deserialize, Serialize};

/// The languages that are read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}
