//! Forecaster choice and calibration, sizing and sharing: a pure function of (snapshot, now, seed).

pub mod audit;
pub mod choose;
pub mod explain;
pub mod forecasters;
pub mod instructions;
pub mod policy;
pub mod prepare;
pub mod scale;
pub mod season;
pub mod share;
pub mod signals;
pub mod size;

use apportion_core::Forecaster;
pub use choose::{Auto, Candidate};
pub use explain::explain;
use forecasters::{Ets, Mstl, Recent, SeasonalNaive, Simple, Transformer};
pub use instructions::AtWork;
pub use policy::Sizing;

/// The names that [`forecaster`] knows.
pub const FORECASTERS: [&str; 7] = ["auto", "transformer", "gru", "recent", "seasonal-naive", "ets", "mstl"];

/// No forecaster of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no forecaster is called '{name}'; known: {}", FORECASTERS.join(", "))]
pub struct UnknownForecaster {
    /// What was asked for.
    pub name: String,
}

/// The forecaster of a name, as given to `--model`.
///
/// # Errors
/// Where no forecaster has that name.
pub fn forecaster(name: &str) -> Result<Box<dyn Forecaster + Send + Sync>, UnknownForecaster> {
    match name {
        "auto" => Ok(Box::new(Auto::default())),
        "recent" => Ok(Box::new(Simple(Recent::SHORT))),
        "seasonal-naive" => Ok(Box::new(Simple(SeasonalNaive))),
        "ets" => Ok(Box::new(Simple(Ets))),
        "mstl" => Ok(Box::new(Simple(Mstl))),
        "transformer" | "gru" => {
            let model = if name == "gru" { Transformer::recurrent() } else { Transformer::embedded() };
            Ok(Box::new(model.ok_or_else(|| UnknownForecaster { name: name.to_owned() })?))
        }
        _ => Err(UnknownForecaster { name: name.to_owned() }),
    }
}

/// The same with a Transformer whose weights are given.
///
/// # Errors
/// Where no forecaster has that name.
pub fn forecaster_with(
    name: &str,
    transformer: Transformer,
) -> Result<Box<dyn Forecaster + Send + Sync>, UnknownForecaster> {
    match name {
        "auto" => Ok(Box::new(Auto::new(choose::candidates_with(Some(transformer))))),
        "transformer" => Ok(Box::new(transformer)),
        _ => forecaster(name),
    }
}
