//! The parts of the `apportion` command that tests reach from outside.

pub mod web;
