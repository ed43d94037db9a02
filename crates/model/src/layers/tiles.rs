//! How a product with a matrix in blocks is cut up: some rows of inputs by N outputs at a time, each tile by a kernel for this
//! processor, so that several rows share a load of weights.

#[cfg(target_arch = "x86_64")]
use super::int8;

/// Sums of one tile: R rows by N outputs. W is a block of N outputs' weights, X a block of one row's inputs.
pub(crate) trait Kernel<W, X, const N: usize>: Copy {
    /// Most rows of a tile, 4, 6 or 8: as many as have their sums in registers.
    const ROWS: usize;

    fn tile<const R: usize>(self, weights: &[W], rows: [&[X]; R]) -> [[f32; N]; R];
}

/// Every tile of `weights` `[outputs / N][blocks]` and `inputs` `[rows][blocks]`; each row of one goes to `put` with its row
/// and first output.
#[inline(always)]
pub(crate) fn each<W, X, K: Kernel<W, X, N>, const N: usize>(
    weights: &[W],
    inputs: &[X],
    blocks: usize,
    kernel: K,
    mut put: impl FnMut(usize, usize, &[f32; N]),
) {
    for (k, weights) in weights.chunks_exact(blocks).enumerate() {
        let mut row = 0;
        let mut rest = inputs;
        while !rest.is_empty() {
            let put = |r: usize, sums: &[f32; N]| put(row + r, k * N, sums);
            let done = match rest.len() / blocks {
                8.. if K::ROWS >= 8 => some::<8, _, _, _, N>(weights, rest, kernel, put),
                6.. if K::ROWS >= 6 => some::<6, _, _, _, N>(weights, rest, kernel, put),
                4.. => some::<4, _, _, _, N>(weights, rest, kernel, put),
                2.. => some::<2, _, _, _, N>(weights, rest, kernel, put),
                _ => some::<1, _, _, _, N>(weights, rest, kernel, put),
            };
            row += done;
            rest = &rest[done * blocks..];
        }
    }
}

/// The first R rows; gives R.
#[inline(always)]
fn some<const R: usize, W, X, K: Kernel<W, X, N>, const N: usize>(
    weights: &[W],
    inputs: &[X],
    kernel: K,
    mut put: impl FnMut(usize, &[f32; N]),
) -> usize {
    let blocks = weights.len();
    let sums = kernel.tile::<R>(weights, std::array::from_fn(|r| &inputs[r * blocks..][..blocks]));
    for (r, sums) in sums.iter().enumerate() {
        put(r, sums);
    }
    R
}

/// Proof that the processor has AVX-512 VNNI.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Vnni(());

#[cfg(target_arch = "x86_64")]
impl Vnni {
    pub(crate) fn detected() -> Option<Self> {
        int8::supported().then_some(Self(()))
    }
}
