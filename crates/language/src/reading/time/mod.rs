//! Times in a sentence, English and Chinese: found as [`atom`]s, joined to [`moment`]s, resolved to one [`window`].
//! Exact: nothing here is learnt. The labels' rules are in `docs/language.md`.

mod atom;
mod calendar;
mod clock;
mod day;
mod length;
mod moment;
mod open;
mod past;
mod repeat;
#[cfg(test)]
mod tests;
mod window;
mod zone;

pub(crate) use past::past;
pub(crate) use window::{TimeReading, read};
