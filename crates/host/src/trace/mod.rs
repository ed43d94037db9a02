//! Trace files: Parquet and CSV, read and written.
