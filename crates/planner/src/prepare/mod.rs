//! What is done to a series before it is forecast or sized: demand under throttling, gaps, outliers, scale, calendar.

mod calendar;
mod demand;
mod fill;
mod outliers;
mod remembered;
mod scaler;

pub use calendar::{CALENDAR_FEATURES, calendar};
pub use demand::{Demand, Throttling};
pub use fill::{SHORT_GAP_S, bridge, fill};
pub use outliers::{clamp_outliers, outlier_limits};
pub use remembered::Remembered;
pub use scaler::Scaler;
