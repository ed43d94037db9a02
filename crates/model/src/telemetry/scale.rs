//! The scales that values are told to the network in, and asinh, which squashes what is scaled.

use crate::layers::activation::ln;
use crate::layers::vectorized;

/// The two scales at one token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scales {
    pub(crate) centre: f64,
    pub(crate) scale: f64,
    /// Mean deviation of the last values: the scale before its bounds.
    pub(crate) deviation: f64,
    pub(crate) global_centre: f64,
    pub(crate) global_scale: f64,
}

impl Scales {
    /// Of a series of which nothing has been seen.
    pub(crate) const UNKNOWN: Self =
        Self { centre: 0.0, scale: 1.0, deviation: 0.0, global_centre: 0.0, global_scale: 1.0 };

    /// In the local scale, not yet squashed.
    #[inline(always)]
    pub(crate) fn scaled(&self, value: f64) -> f32 {
        ((value - self.centre) / self.scale) as f32
    }

    pub(crate) fn local(&self, value: f64) -> f32 {
        squash(self.scaled(value))
    }

    pub(crate) fn global(&self, value: f64) -> f32 {
        squash(self.scaled_globally(value))
    }

    #[inline(always)]
    pub(crate) fn scaled_globally(&self, value: f64) -> f32 {
        ((value - self.global_centre) / self.global_scale) as f32
    }
}

pub(crate) fn squash_all(values: &mut [f32]) {
    vectorized(|| values.iter_mut().for_each(|x| *x = squash(*x)));
}

/// asinh, odd, by the formula on |x| that loses nothing to cancellation; NaN stays NaN.
#[inline(always)]
pub(crate) fn squash(x: f32) -> f32 {
    let a = if x.abs() > 1e15 { 1e15 } else { x.abs() };
    let size = ln(a + (a * a + 1.0).sqrt());
    if x.is_nan() { x } else { size.copysign(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_asinh() {
        for x in [-1e12_f32, -3.0, -1e-4, 0.0, 1e-6, 0.5, 40.0, 1e15] {
            let exact = f64::from(x).asinh();
            let found = f64::from(squash(x));
            assert!((found - exact).abs() <= 2e-7 + 2e-7 * exact.abs(), "asinh({x}) = {found}, not {exact}");
        }
        assert!(squash(f32::NAN).is_nan(), "missing stays missing");
        assert!(squash(f32::INFINITY) < 40.0);
    }
}
