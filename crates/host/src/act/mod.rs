//! Executors: what turns knobs.
