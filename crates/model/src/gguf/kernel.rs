//! The products of `matrix` on AVX2, four rows by two registers of outputs at a time; plain code on other processors.

use super::{
    block::BLOCK,
    matrix::{Matrix, Rounded},
};

/// Outputs of one register of sums.
pub(super) const TILE: usize = 8;
/// Pairs of inputs in a block: one instruction multiplies a pair and adds the two products.
pub(super) const PAIRS: usize = BLOCK / 2;
/// Rows of x that share a load of weights.
const ROWS: usize = 4;

/// `y = x Wᵀ`; the shapes must fit.
pub(super) fn product(matrix: &Matrix, x: &Rounded, y: &mut [f32]) {
    let (rows, inputs) = (x.scales.len(), matrix.blocks * BLOCK);
    let tiles = matrix.outputs.div_ceil(TILE);
    assert!(x.values.len() == rows * inputs && y.len() == rows * matrix.outputs, "product of another shape");
    assert!(matrix.quants.len() == tiles * TILE * inputs && matrix.scales.len() == tiles * matrix.blocks * TILE);
    // A single row reads each weight once: more outputs at a time keep more loads under way.
    let wide = if rows == 1 { 4 } else { 2 };
    for tile in (0..tiles).step_by(wide) {
        let many = wide.min(tiles - tile);
        for row in (0..rows).step_by(ROWS) {
            let sums = sums(matrix, x, row, (rows - row).min(ROWS), tile, many);
            for (r, sums) in sums.iter().enumerate().take((rows - row).min(ROWS)) {
                let from = (row + r) * matrix.outputs;
                let y = &mut y[from + tile * TILE..from + matrix.outputs.min((tile + many) * TILE)];
                y.iter_mut().zip(sums.as_flattened()).for_each(|(y, sum)| *y = sum * x.scales[row + r]);
            }
        }
    }
}

type Sums = [[[f32; TILE]; 4]; ROWS];

#[cfg(target_arch = "x86_64")]
fn sums(matrix: &Matrix, x: &Rounded, row: usize, rows: usize, tile: usize, tiles: usize) -> Sums {
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        avx2::sums(matrix, x, row, rows, tile, tiles)
    } else {
        plain(matrix, x, row, rows, tile, tiles)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn sums(matrix: &Matrix, x: &Rounded, row: usize, rows: usize, tile: usize, tiles: usize) -> Sums {
    plain(matrix, x, row, rows, tile, tiles)
}

/// `Σ_b s Σ q u` of some rows and tiles, in plain code.
fn plain(matrix: &Matrix, x: &Rounded, row: usize, rows: usize, tile: usize, tiles: usize) -> Sums {
    let inputs = matrix.blocks * BLOCK;
    let mut sums = Sums::default();
    for (r, sums) in sums.iter_mut().enumerate().take(rows) {
        for (t, sums) in sums.iter_mut().enumerate().take(tiles) {
            for block in 0..matrix.blocks {
                let at = (tile + t) * matrix.blocks + block;
                let quants = &matrix.quants[at * BLOCK * TILE..(at + 1) * BLOCK * TILE];
                let values = &x.values[(row + r) * inputs + block * BLOCK..][..BLOCK];
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let product =
                        |i: usize| i32::from(quants[i / 2 * 2 * TILE + 2 * lane + i % 2]) * i32::from(values[i]);
                    *sum += (0..BLOCK).map(product).sum::<i32>() as f32 * matrix.scales[at * TILE + lane];
                }
            }
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, reason = "one number names a row or a tile in several arrays")]
mod avx2 {
    use super::{BLOCK, Matrix, PAIRS, ROWS, Rounded, Sums, TILE};
    use std::arch::x86_64::{
        __m256, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_setzero_si256,
        _mm256_storeu_ps,
    };

    #[allow(unsafe_code)]
    pub(super) fn sums(matrix: &Matrix, x: &Rounded, row: usize, rows: usize, tile: usize, tiles: usize) -> Sums {
        let inputs = matrix.blocks * BLOCK;
        assert!(rows <= ROWS && (row + rows) * inputs <= x.values.len());
        assert!((tile + tiles) * TILE * inputs <= matrix.quants.len());
        assert!((tile + tiles) * matrix.blocks * TILE <= matrix.scales.len());
        let mut sums = Sums::default();
        // SAFETY: the caller detected AVX2 and FMA, and the asserts keep every load inside its slice: `block_sums` reads rows
        // below row + rows of `values` and tiles below tile + tiles of `quants` and `scales`.
        unsafe {
            match (rows, tiles) {
                (4, 2) => tile_sums::<4, 2>(matrix, x, row, tile, &mut sums),
                (1, 4) => tile_sums::<1, 4>(matrix, x, row, tile, &mut sums),
                _ => {
                    for r in 0..rows {
                        for t in 0..tiles {
                            let mut one = Sums::default();
                            tile_sums::<1, 1>(matrix, x, row + r, tile + t, &mut one);
                            sums[r][t] = one[0][0];
                        }
                    }
                }
            }
        }
        sums
    }

    /// # Safety
    /// The caller checks the processor and the lengths; see `sums`.
    #[target_feature(enable = "avx2,fma")]
    #[allow(unsafe_code)]
    unsafe fn tile_sums<const R: usize, const T: usize>(
        matrix: &Matrix,
        x: &Rounded,
        row: usize,
        tile: usize,
        sums: &mut Sums,
    ) {
        let (blocks, inputs) = (matrix.blocks, matrix.blocks * BLOCK);
        let mut whole: [[__m256; T]; R] = [[_mm256_setzero_ps(); T]; R];
        for block in 0..blocks {
            let mut kept: [[__m256i; T]; R] = [[_mm256_setzero_si256(); T]; R];
            // SAFETY: (tile + t) · blocks + block is below the tiles' blocks, of 256 quants and 8 scales each; row + r is a row
            // of `values`, of which the block's 32 are read by pairs.
            unsafe {
                for pair in 0..PAIRS {
                    // Plain loops: closures given to library functions would not be compiled with these instructions.
                    let mut quants: [__m256i; T] = [_mm256_setzero_si256(); T];
                    for t in 0..T {
                        let at = (tile + t) * blocks + block;
                        let from = matrix.quants.as_ptr().add((at * PAIRS + pair) * 2 * TILE);
                        quants[t] = _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast()));
                    }
                    for r in 0..R {
                        let from = x.values.as_ptr().add((row + r) * inputs + block * BLOCK + 2 * pair);
                        let two = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
                        for t in 0..T {
                            kept[r][t] = _mm256_add_epi32(kept[r][t], _mm256_madd_epi16(quants[t], two));
                        }
                    }
                }
                for t in 0..T {
                    let at = (tile + t) * blocks + block;
                    let scales = _mm256_loadu_ps(matrix.scales.as_ptr().add(at * TILE));
                    for r in 0..R {
                        whole[r][t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(kept[r][t]), scales, whole[r][t]);
                    }
                }
            }
        }
        for (sums, whole) in sums.iter_mut().zip(&whole) {
            for (sums, whole) in sums.iter_mut().zip(whole) {
                // SAFETY: eight floats are the 32 bytes stored.
                unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), *whole) };
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn vectors_and_plain_code_agree() {
            let number = |k: usize| ((k * 7_919) % 65_535) as i64 - 32_767;
            let (blocks, outputs, rows) = (3, 32, 5);
            let inputs = blocks * BLOCK;
            let matrix = Matrix {
                quants: (0..outputs * inputs).map(|k| (number(k) % 128) as i8).collect(),
                scales: (0..outputs * blocks).map(|k| number(k) as f32 / 32_767.0).collect(),
                outputs,
                blocks,
            };
            let x =
                Rounded { values: (0..rows * inputs).map(|k| number(k + 5) as i16).collect(), scales: vec![1.0; rows] };
            for (row, rows, tile, tiles) in [(0, 4, 0, 2), (1, 4, 2, 2), (4, 1, 0, 4), (0, 3, 1, 2), (2, 1, 3, 1)] {
                let (fast, slow) = (
                    sums(&matrix, &x, row, rows, tile, tiles),
                    super::super::plain(&matrix, &x, row, rows, tile, tiles),
                );
                for (fast, slow) in fast.as_flattened().as_flattened().iter().zip(slow.as_flattened().as_flattened()) {
                    assert!((fast - slow).abs() <= slow.abs() * 1e-5 + 1.0, "{fast} {slow}");
                }
            }
        }
    }
}
