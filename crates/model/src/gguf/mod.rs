//! Text models of the llama family from GGUF files, on one thread: [`Llama`] runs them, [`Tokenizer`] is read from the same file.
//!
//! Weights are kept in 8-bit blocks of 32 (`Q8_0`); files in other precisions are rounded to that while they are read. A file is
//! input like any other: what its header promises is checked against its length before anything is allocated for it.

mod block;
mod file;
mod kernel;
mod llama;
mod matrix;
mod tokenizer;

pub use file::GgufFile;
pub use llama::{Llama, State};
pub use tokenizer::{Token, Tokenizer};

/// Why a GGUF file cannot be used. Nothing is used of such a file.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is no GGUF file, or one that is damaged.
    #[error("not a sound GGUF file ({0}): fetch it again")]
    Format(String),
    /// It is of a kind that this program cannot run.
    #[error("the model cannot be run here: {0}")]
    Unsupported(String),
}

fn damaged(what: impl Into<String>) -> GgufError {
    GgufError::Format(what.into())
}

fn unsupported(what: impl Into<String>) -> GgufError {
    GgufError::Unsupported(what.into())
}
