//! The `apportion` command: wiring only.

fn main() {}
