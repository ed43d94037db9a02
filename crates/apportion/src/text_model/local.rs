//! A model in this process, from a GGUF file.

use super::{Prompt, TextModel};
use apportion_language::local::LocalModel;
use std::{path::Path, time::Duration};

/// A loaded model, and how long an answer may take.
pub struct Local {
    model: LocalModel,
    timeout: Duration,
}

impl Local {
    /// Loads a model.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(path: &Path, timeout_s: u32) -> anyhow::Result<Self> {
        Ok(Self { model: LocalModel::open(path)?, timeout: Duration::from_secs(timeout_s.into()) })
    }
}

impl TextModel for Local {
    fn answer(&self, Prompt { task, text, schema, most_tokens }: Prompt<'_>) -> anyhow::Result<String> {
        Ok(self.model.answer(task, text, schema, most_tokens as usize, self.timeout)?)
    }
}
