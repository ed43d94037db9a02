//! Errors of this crate.

/// Why weights were not loaded. Nothing is used of a file that gives one of these.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not a safetensors file, or are cut short.
    #[error("not a readable safetensors file ({0}): fetch or train the weights again")]
    Format(String),
    /// The file lacks the configuration or has one that this program cannot run.
    #[error("the weight file's configuration does not fit: {0}")]
    Config(String),
    /// A tensor is absent, surplus, or of another shape or type.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// The tensor's name in the file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "tensor `{name}` holds {value} at element {index}: the training that wrote it had diverged; use other weights"
    )]
    NotFinite {
        /// The tensor's name in the file.
        name: String,
        /// Position of the first such element.
        index: usize,
        /// The value found.
        value: f32,
    },
}
