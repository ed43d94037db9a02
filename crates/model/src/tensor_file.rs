//! Numbers of a safetensors file as f32.

use safetensors::tensor::{Dtype, TensorView};

use crate::half::f16_to_f32;

/// Fills `target`, which has the tensor's size, from F32, F16 or BF16.
pub(crate) fn read(view: &TensorView<'_>, target: &mut [f32]) -> Result<(), String> {
    let data = view.data();
    let pairs = || data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    match view.dtype() {
        Dtype::F32 => fill(target, data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        Dtype::F16 => fill(target, pairs().map(f16_to_f32)),
        Dtype::BF16 => fill(target, pairs().map(|bits| f32::from_bits(u32::from(bits) << 16))),
        other => return Err(format!("has type {other:?}; F32, F16 and BF16 are read")),
    }
    Ok(())
}

fn fill(target: &mut [f32], values: impl Iterator<Item = f32>) {
    target.iter_mut().zip(values).for_each(|(to, from)| *to = from);
}
