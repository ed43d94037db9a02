//! How the C library gives memory back.

/// Has freed memory given back to the machine as it is freed: a turn's buffers are large and live for a tenth of a second, and kept for the
/// next turn they are a sixth of what the loop holds (`cargo bench --bench loop`, 200 workloads: 69.8 MiB, and 58.9 so). musl does so by
/// itself.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "the C library has no other way in")]
pub fn give_back_early() {
    const M_TRIM_THRESHOLD: i32 = -1;
    const M_MMAP_THRESHOLD: i32 = -3;
    const FROM_BYTES: i32 = 128 * 1_024;
    unsafe extern "C" {
        safe fn mallopt(parameter: i32, value: i32) -> i32;
    }
    // Sound: declared as in malloc.h, takes no pointers, may be called at any time, and refuses what it does not know.
    mallopt(M_TRIM_THRESHOLD, FROM_BYTES);
    mallopt(M_MMAP_THRESHOLD, FROM_BYTES);
}

/// Nothing needs to be said to other C libraries.
#[cfg(not(target_env = "gnu"))]
pub const fn give_back_early() {}

/// Gives back what is free inside of the heap, which goes nowhere by itself as long as anything above it is in use.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "the C library has no other way in")]
pub fn give_back_now() {
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> i32;
    }
    // Sound: declared as in malloc.h, takes no pointers, and may be called at any time by any thread.
    malloc_trim(0);
}

/// Nothing needs to be said to other C libraries.
#[cfg(not(target_env = "gnu"))]
pub const fn give_back_now() {}
