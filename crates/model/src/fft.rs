//! Radix-2 fast Fourier transform, for autocorrelation (seasons) and spectral noise (training data).

use std::f64::consts::TAU;

/// Twiddle factors and scratch of one length (a power of two).
#[derive(Clone, Debug)]
pub(crate) struct Fft {
    cos: Vec<f32>,
    sin: Vec<f32>,
    len: usize,
}

impl Fft {
    pub(crate) fn new(len: usize) -> Self {
        assert!(len.is_power_of_two(), "the length of this transform is a power of two");
        let angle = |k: usize| TAU * k as f64 / len as f64;
        Self {
            cos: (0..len / 2).map(|k| angle(k).cos() as f32).collect(),
            sin: (0..len / 2).map(|k| angle(k).sin() as f32).collect(),
            len,
        }
    }

    /// In place, `X[k] = Σ x[n] e^(-2πi nk / len)`, not scaled. Its own inverse up to conjugation and 1 / len.
    pub(crate) fn transform(&self, re: &mut [f32], im: &mut [f32]) {
        assert!(re.len() == self.len && im.len() == self.len, "transform of another length");
        reverse_bits(re, im);
        let mut half = 1;
        while half < self.len {
            let stride = self.len / (2 * half);
            for start in (0..self.len).step_by(2 * half) {
                self.butterflies(re, im, start, half, stride);
            }
            half *= 2;
        }
    }

    fn butterflies(&self, re: &mut [f32], im: &mut [f32], start: usize, half: usize, stride: usize) {
        let (re_a, re_b) = re[start..start + 2 * half].split_at_mut(half);
        let (im_a, im_b) = im[start..start + 2 * half].split_at_mut(half);
        for k in 0..half {
            let (c, s) = (self.cos[k * stride], self.sin[k * stride]);
            let (tr, ti) = (re_b[k] * c + im_b[k] * s, im_b[k] * c - re_b[k] * s);
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
