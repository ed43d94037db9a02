//! Credentials. They are named by the configuration, read when they are needed, and never shown.

use serde::Deserialize;
use std::{env, fmt, fs, path::PathBuf};

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretFrom {
    /// In a file, as a whole but for the line end; read anew each time, because tokens are renewed.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// How to authenticate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// With a bearer token.
    Bearer(SecretFrom),
    /// With a user's name and password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: SecretFrom,
    },
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the credential in {} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The environment does not have it.
    #[error("the credential is not there: set the environment variable {name}")]
    Env {
        /// Its name.
        name: String,
    },
    /// It cannot go into a header.
    #[error("the credential in {place} is empty or has characters that no HTTP header can hold")]
    Unusable {
        /// Where it is.
        place: String,
    },
}

/// A secret. Shown as `***`, whoever asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SecretFrom {
    fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Env(name) => name.clone(),
        }
    }

    fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::File(path) => {
                fs::read_to_string(path).map_err(|source| SecretError::File { path: path.clone(), source })?
            }
            Self::Env(name) => env::var(name).map_err(|_| SecretError::Env { name: name.clone() })?,
        };
        let text = text.trim_end_matches(['\n', '\r']);
        let is_usable = !text.is_empty() && text.chars().all(|character| !character.is_control());
        if is_usable { Ok(Secret(text.to_owned())) } else { Err(SecretError::Unusable { place: self.place() }) }
    }
}

impl Auth {
    /// The value of the Authorization header; `None` without authentication.
    pub(super) fn header(&self) -> Result<Option<Secret>, SecretError> {
        Ok(match self {
            Self::None => None,
            Self::Bearer(token) => Some(Secret(format!("Bearer {}", token.read()?.0))),
            Self::Basic { user, password } => {
                let pair = format!("{user}:{}", password.read()?.0);
                Some(Secret(format!("Basic {}", base64(pair.as_bytes()))))
            }
        })
    }
}

impl Secret {
    /// For the header itself and nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// A text without this secret: a server may send back what it was sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        let bare = self.0.split_once(' ').map_or(self.0.as_str(), |(_, bare)| bare);
        text.replace(bare, "***")
    }
}

/// Standard base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_usize, |group, at| group << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let is_there = digit <= chunk.len();
            text.push(if is_there { char::from(DIGITS[group >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = Secret("Bearer s3cret".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.scrub("bad token s3cret!"), "bad token ***!");
    }

    #[test]
    fn unusable_secrets_name_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "a\nb\n").unwrap();
        let error = Auth::Bearer(SecretFrom::File(path.clone())).header().unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && !error.contains("a\nb"), "{error}");
        fs::write(&path, "abc\n").unwrap();
        let header = Auth::Bearer(SecretFrom::File(path)).header().unwrap().unwrap();
        assert_eq!(header.reveal(), "Bearer abc");
        let error = Auth::Bearer(SecretFrom::Env("APPORTION_NO_SUCH".to_owned())).header().unwrap_err().to_string();
        assert!(error.contains("APPORTION_NO_SUCH"), "{error}");
    }
}
