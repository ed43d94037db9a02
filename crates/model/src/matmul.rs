//! Matrix products on `gemm`, behind views that check their bounds.
//!
//! A view is (data, rows, columns, row stride, column stride); a transpose only swaps the strides. The crate's layers
//! run one product per thread and share the work out by windows, so `gemm`'s own threads stay off.

use gemm::Parallelism;

/// A read-only matrix inside a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Mat<'a> {
    /// Row-major and dense: `data.len() == rows * columns`.
    pub(crate) fn dense(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Row-major, rows `row_stride` apart, so that a block of columns of a wider matrix can be read in place.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(data.len() >= extent(rows, columns, row_stride), "matrix view leaves its slice");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose, without moving anything.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A row-major matrix to write to.
#[derive(Debug)]
pub(crate) struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> MatMut<'a> {
    pub(crate) fn dense(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    pub(crate) fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(row_stride >= columns, "rows of the product overlap");
        assert!(data.len() >= extent(rows, columns, row_stride), "matrix view leaves its slice");
        Self { data, rows, columns, row_stride }
    }
}

/// Elements from the first to one past the last of a row-major view.
fn extent(rows: usize, columns: usize, row_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns }
}

/// What happens to the old content of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// `c = scale * a b`
    Overwrite,
    /// `c = c + scale * a b`
    Add,
}

/// `c = scale * a b`, or `c + scale * a b`.
#[allow(unsafe_code)]
pub(crate) fn matmul(c: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, scale: f32, store: Store) {
    let MatMut { data, rows, columns, row_stride } = c;
    assert_eq!(a.columns, b.rows, "inner sizes differ");
    assert_eq!((rows, columns), (a.rows, b.columns), "product has another shape");
    // SAFETY: the three views were checked on construction to lie inside their slices (a transpose only swaps strides),
    // `c` is borrowed mutably so it overlaps neither input, and strides of allocated slices fit in `isize`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            a.columns,
            data.as_mut_ptr(),
            1,
            stride(row_stride),
            store == Store::Add,
            a.data.as_ptr(),
            stride(a.column_stride),
            stride(a.row_stride),
            b.data.as_ptr(),
            stride(b.column_stride),
            stride(b.row_stride),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// A stride inside a slice always fits: slices are at most `isize::MAX` bytes.
fn stride(elements: usize) -> isize {
    isize::try_from(elements).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes_and_strides_agree_with_the_plain_sum() {
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0]; // 2 x 2 inside rows of 3
        let b = [1.0, 0.5, -1.0, 2.0]; // 2 x 2
        let mut c = [10.0; 4];
        matmul(MatMut::dense(&mut c, 2, 2), Mat::strided(&a, 2, 2, 3), Mat::dense(&b, 2, 2).t(), 2.0, Store::Add);
        assert_eq!(c, [10.0 + 2.0 * 2.0, 10.0 + 2.0 * 3.0, 10.0 + 2.0 * 5.0, 10.0 + 2.0 * 5.0]);
        matmul(MatMut::dense(&mut c, 2, 2), Mat::strided(&a, 2, 2, 3).t(), Mat::dense(&b, 2, 2), 1.0, Store::Overwrite);
        assert_eq!(c, [1.0 - 3.0, 0.5 + 6.0, 2.0 - 4.0, 1.0 + 8.0]);
    }

    #[test]
    #[should_panic(expected = "matrix view leaves its slice")]
    fn a_view_outside_its_slice_is_refused() {
        Mat::dense(&[0.0; 5], 2, 3);
    }
}
