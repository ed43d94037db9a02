//! What the fuzzer reaches of parsers that are private to this crate. Each takes any bytes; what it makes of them is dropped.

use crate::{act, store};

/// Files that hold limits of devices: `io.max`, and version 1's.
pub fn limit_files(bytes: &[u8]) {
    for key in [None, Some("rbps"), Some("wbps")] {
        let limited = act::parse_io(bytes, key).unwrap_or_default();
        assert!(limited.iter().all(|(_, limit)| *limit > 0.0), "a limit of nothing");
    }
}

/// What `tc` and `nft` print.
pub fn network(bytes: &[u8]) {
    act::parse_network(&String::from_utf8_lossy(bytes));
}

/// Chunks and journal rows of a store that was damaged: packed numbers, of whatever kind they claim to be.
pub fn chunks(bytes: &[u8]) {
    store::unpack_any(bytes);
}
