//! Names of groups as text. A name may hold any bytes but `/` and NUL; a workload's path is a `String`.
//!
//! Valid UTF-8 stays as it is. A byte that is not becomes U+FFFD and two hexadecimal digits, and so do control characters
//! (names are shown in terminals) and a U+FFFD that was there before: different names stay different, and the bytes can be
//! had back.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

const MARK: char = char::REPLACEMENT_CHARACTER;

/// The path of a group as text.
#[must_use]
pub fn group_to_text(path: &Path) -> String {
    let mut text = String::with_capacity(path.as_os_str().len());
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == MARK || character.is_control() {
                escape(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(character);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(MARK);
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
}

/// The path of a group from its text; the inverse of [`group_to_text`].
#[must_use]
pub fn group_from_text(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + MARK.len_utf8()..];
        if let Some(byte) = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &rest[2..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_names_stay_readable() {
        let path = Path::new("/system.slice/dev-disk\\x2duuid.swap/größe");
        assert_eq!(group_to_text(path), path.to_str().unwrap());
        assert_eq!(group_to_text(Path::new("/a\x1b[2J")), "/a\u{FFFD}1b[2J");
    }

    proptest! {
        #[test]
        fn names_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let path = PathBuf::from(OsString::from_vec(bytes));
            prop_assert_eq!(group_from_text(&group_to_text(&path)), path);
        }
        #[test]
        fn marks_come_back(text in "[\u{FFFD}a0-9]{0,12}") {
            prop_assert_eq!(group_from_text(&group_to_text(Path::new(&text))), PathBuf::from(text));
        }
    }
}
