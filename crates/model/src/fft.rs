//! Radix-2 fast Fourier transform, for autocorrelation (seasons) and spectral noise (training data).

use std::f64::consts::TAU;

use crate::layers::vectorized;

/// Values that the first stages work on at a time.
const BLOCK: usize = 16;

/// Twiddle factors of one length (a power of two): those of the stage that joins halves of h values lie from h − 1 on.
#[derive(Clone, Debug)]
pub(crate) struct Fft {
    cos: Vec<f32>,
    sin: Vec<f32>,
    len: usize,
}

impl Fft {
    pub(crate) fn new(len: usize) -> Self {
        assert!(len.is_power_of_two(), "the length of this transform is a power of two");
        let halves = (0..len.trailing_zeros()).map(|stage| 1 << stage);
        let angles: Vec<f64> = halves
            .flat_map(|half: usize| (0..half).map(move |k| TAU * (k * (len / (2 * half))) as f64 / len as f64))
            .collect();
        let table = |of: fn(f64) -> f64| angles.iter().map(|angle| of(*angle) as f32).collect();
        Self { cos: table(f64::cos), sin: table(f64::sin), len }
    }

    /// In place, `X[k] = Σ x[n] e^(-2πi nk / len)`, not scaled. Its own inverse up to conjugation and 1 / len.
    pub(crate) fn transform(&self, re: &mut [f32], im: &mut [f32]) {
        assert!(re.len() == self.len && im.len() == self.len, "transform of another length");
        reverse_bits(re, im);
        vectorized(|| {
            // Blocks of a size known beforehand are unrolled.
            let (re_blocks, im_blocks) = (re.as_chunks_mut::<BLOCK>().0, im.as_chunks_mut::<BLOCK>().0);
            for (re, im) in re_blocks.iter_mut().zip(im_blocks) {
                self.stages(re, im, 1);
            }
            self.stages(re, im, if self.len < BLOCK { 1 } else { BLOCK });
        });
    }

    /// Joins halves of `half` values, then of twice as many, until they are one.
    #[inline(always)]
    fn stages(&self, re: &mut [f32], im: &mut [f32], mut half: usize) {
        while half < re.len() {
            for (re, im) in re.chunks_exact_mut(2 * half).zip(im.chunks_exact_mut(2 * half)) {
                self.join(re, im, half);
            }
            half *= 2;
        }
    }

    #[inline(always)]
    fn join(&self, re: &mut [f32], im: &mut [f32], half: usize) {
        let ((re_a, re_b), (im_a, im_b)) = (re.split_at_mut(half), im.split_at_mut(half));
        let (cos, sin) = (&self.cos[half - 1..2 * half - 1], &self.sin[half - 1..2 * half - 1]);
        for k in 0..half {
            let (tr, ti) = (re_b[k] * cos[k] + im_b[k] * sin[k], im_b[k] * cos[k] - re_b[k] * sin[k]);
            (re_b[k], im_b[k]) = (re_a[k] - tr, im_a[k] - ti);
            re_a[k] += tr;
            im_a[k] += ti;
        }
    }
}

fn reverse_bits(re: &mut [f32], im: &mut [f32]) {
    let bits = re.len().trailing_zeros();
    for k in 1..re.len() {
        let mirrored = k.reverse_bits() >> (usize::BITS - bits);
        if mirrored > k {
            re.swap(k, mirrored);
            im.swap(k, mirrored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_is_the_plain_sum() {
        let mut rng = Rng::new(3);
        let x: Vec<f32> = (0..16).map(|_| rng.normal()).collect();
        let (mut re, mut im) = (x.clone(), vec![0.0; 16]);
        Fft::new(16).transform(&mut re, &mut im);
        for k in 0..16 {
            let term = |n: usize| TAU * (n * k) as f64 / 16.0;
            let real: f64 = (0..16).map(|n| f64::from(x[n]) * term(n).cos()).sum();
            let imaginary: f64 = (0..16).map(|n| -f64::from(x[n]) * term(n).sin()).sum();
            assert!((f64::from(re[k]) - real).abs() < 1e-5 && (f64::from(im[k]) - imaginary).abs() < 1e-5, "bin {k}");
        }
    }
}
