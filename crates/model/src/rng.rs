//! Random numbers by seed: xoshiro256++ (Blackman & Vigna 2019), seeded through `SplitMix64`. The stream is part of what
//! "the same seed gives the same weights" promises, so it lives here rather than in a crate that may change it.

/// A random number generator whose whole state is its seed.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// An independent generator for (seed, a, b), such as (seed, step, shard).
    pub fn for_place(seed: u64, a: u64, b: u64) -> Self {
        let mut mixer = seed ^ a.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let first = split_mix(&mut mixer);
        Self::new(first ^ b.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        // The top 24 bits are exactly what an f32 holds.
        (self.next_u64() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in [low, high).
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Log-uniform in [low, high).
    pub(crate) fn log_range(&mut self, low: f32, high: f32) -> f32 {
        self.range(low.ln(), high.ln()).exp()
    }

    /// An index below `bound` (0 where `bound` is 0). The bias of the multiply-shift is below 2^-32 for our bounds.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A whole number in [low, high].
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f32) -> bool {
        self.uniform() < p
    }

    /// Standard normal (Box-Muller, one of the pair).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform()).cos()
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f32 {
        -(1.0 - self.uniform()).ln()
    }

    /// Poisson; normal approximation above 30, where the difference is below the noise that telemetry has anyway.
    pub(crate) fn poisson(&mut self, rate: f32) -> f32 {
        if rate > 30.0 {
            return (rate + rate.sqrt() * self.normal()).round().max(0.0);
        }
        let limit = (-rate.max(0.0)).exp();
        let (mut count, mut product) = (0.0, self.uniform());
        while product > limit {
            count += 1.0;
            product *= self.uniform();
        }
        count
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_the_published_stream() {
        // First outputs of the reference splitmix64.c for seed 1234567.
        let mut state = 1_234_567;
        assert_eq!(
            [split_mix(&mut state), split_mix(&mut state)],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::new(7);
        let n = 200_000;
        let mean = |draw: &mut dyn FnMut() -> f32| (0..n).map(|_| f64::from(draw())).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || rng.uniform()) - 0.5).abs() < 0.005);
        assert!(mean(&mut || rng.normal()).abs() < 0.01);
        assert!((mean(&mut || rng.normal().powi(2)) - 1.0).abs() < 0.02);
        assert!((mean(&mut || rng.exponential()) - 1.0).abs() < 0.02);
        assert!((mean(&mut || rng.poisson(3.5)) - 3.5).abs() < 0.03);
        assert!((mean(&mut || rng.poisson(300.0)) - 300.0).abs() < 0.5);
    }
}
