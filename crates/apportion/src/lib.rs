//! The `apportion` command: arguments, configuration, the loop, the page. Wiring only: what is decided, and how, is in the
//! other crates.

pub mod allocator;
pub mod args;
pub mod ask;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod encoder_model;
pub mod signals;
pub mod spread;
pub mod tell;
pub mod text_model;
pub mod tuning;
pub mod web;
pub mod zone;

mod learn;
