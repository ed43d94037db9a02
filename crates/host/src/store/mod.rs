//! The store: one SQLite file of series chunks and the ledger.
