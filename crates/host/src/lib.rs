//! Every contact with the machine: collectors, executors, store, files.
