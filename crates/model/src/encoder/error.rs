//! Errors of reading an encoder file.

/// Why an encoder's file was not loaded. Nothing is used of a file that gives one of these.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EncoderError {
    /// The file is something else.
    #[error("not an encoder file (it does not begin with E5S1, version 1): pull the model again")]
    Magic,
    /// The file ends inside of something.
    #[error("the encoder file ends inside of {what}, at byte {at}: it is cut short; pull the model again")]
    Cut {
        /// What was being read.
        what: &'static str,
        /// Where it began.
        at: usize,
    },
    /// The header asks for a network that this program cannot run.
    #[error("the encoder file's header does not fit: {0}")]
    Config(String),
    /// The vocabulary contradicts itself.
    #[error("the encoder file's vocabulary is damaged: {0}")]
    Vocabulary(String),
    /// A tensor is absent or not what the header says.
    #[error("tensor `{name}` of the encoder file: {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}
