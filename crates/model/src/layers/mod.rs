//! Layers with forward and hand-written backward. Each file opens with its formula and shapes.
//!
//! Weights live in one flat array (`crate::params`); a layer holds only where its own lie. A layer's `Trace` keeps what
//! the backward pass needs; it is reused from batch to batch, so a warm pass allocates nothing.
//! `backward` adds to the weights' gradient and overwrites the input's gradient.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod gru;
pub(crate) mod int8;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod q4;
pub(crate) mod residual_mlp;
pub(crate) mod rms_norm;
pub(crate) mod swiglu;
pub(crate) mod tiles;

#[cfg(test)]
pub(crate) mod gradient_check;

/// Runs a loop compiled for the widest vectors that this processor has; what it calls must be `#[inline(always)]`.
pub(crate) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// `to += from`.
pub(crate) fn add(to: &mut [f32], from: &[f32]) {
    vectorized(|| to.iter_mut().zip(from).for_each(|(to, from)| *to += from));
}

/// Sets the length of a reused buffer; content is unspecified (old values or zero).
pub(crate) fn resize(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() != len {
        buffer.resize(len, 0.0);
    }
}
