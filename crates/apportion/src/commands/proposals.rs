//! Sentences that a program proposed and no person has confirmed yet: one file each in a folder beside the store, for its
//! owner alone. A proposal is words and a time, no instruction: it is read again when it is confirmed.

use super::{NothingFound, desk::Said};
use crate::tell::{CONFIRM_WITHIN_S, Told, zoned};
use anyhow::Context as _;
use apportion_core::Time;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// So many may wait; a program that proposes more is told to let a person catch up.
const MOST_WAITING: usize = 100;

/// Numbers the proposals of this process: an assistant's calls run side by side.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// What waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Proposal {
    /// The sentence.
    pub(super) text: String,
    /// When it was read, seconds since 1970.
    pub(super) at_s: i64,
    /// The zone of its times.
    pub(super) zone: String,
    /// What it was understood to mean.
    pub(super) words: String,
}

impl Proposal {
    pub(super) fn new(said: &Said, told: &Told) -> Self {
        Self { text: said.text.clone(), at_s: told.at_s, zone: said.zone(), words: told.words.clone() }
    }

    /// The sentence as it was said.
    pub(super) fn said(&self) -> Said {
        Said { text: self.text.clone(), now: zoned(Time::from_s(self.at_s), Some(&self.zone)), also: Vec::new() }
    }

    const fn is_open(&self, now: Time) -> bool {
        now.s() - self.at_s <= CONFIRM_WITHIN_S
    }
}

/// The folder of proposals of a store.
pub(super) struct Proposals(PathBuf);

impl Proposals {
    pub(super) fn beside(store: &Path) -> Self {
        Self(store.with_extension("proposed"))
    }

    /// Keeps a proposal for as long as it can be confirmed; gives its number.
    pub(super) fn keep(&self, proposal: &Proposal, now: Time) -> anyhow::Result<u32> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).with_context(|| self.unusable())?;
        let waiting = self.waiting(now)?;
        if waiting.len() >= MOST_WAITING {
            anyhow::bail!(
                "{MOST_WAITING} proposals wait already; a person has to confirm them first, or let them pass"
            );
        }
        // Whole before it has a number, so that nobody sweeps away what is half written.
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let part = self.0.join(format!("{}-{call}.part", std::process::id()));
        write_private(&part, &serde_json::to_vec(proposal)?).with_context(|| self.unusable())?;
        let linked = self.number(&part, &waiting);
        let _ = fs::remove_file(part);
        linked.with_context(|| self.unusable())
    }

    /// Gives a written proposal the next free number.
    fn number(&self, part: &Path, waiting: &[(u32, Proposal)]) -> std::io::Result<u32> {
        let mut id = waiting.last().map_or(1, |(last, _)| last + 1);
        loop {
            match fs::hard_link(part, self.file(id)) {
                Ok(()) => return Ok(id),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => id += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// What can still be confirmed, by number; what cannot is swept away.
    pub(super) fn waiting(&self, now: Time) -> anyhow::Result<Vec<(u32, Proposal)>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| self.unusable()),
        };
        let mut waiting = Vec::new();
        for id in entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()) {
            match self.read(id) {
                Some(proposal) if proposal.is_open(now) => waiting.push((id, proposal)),
                _ => self.forget(id),
            }
        }
        waiting.sort_by_key(|(id, _)| *id);
        Ok(waiting)
    }

    /// One that can still be confirmed.
    pub(super) fn get(&self, id: u32, now: Time) -> anyhow::Result<Proposal> {
        self.read(id).filter(|proposal| proposal.is_open(now)).ok_or_else(|| {
            let minutes = CONFIRM_WITHIN_S / 60;
            NothingFound(format!("no proposal {id} waits (each waits {minutes} minutes); have it proposed again"))
                .into()
        })
    }

    /// Takes a proposal away.
    pub(super) fn forget(&self, id: u32) {
        let _ = fs::remove_file(self.file(id));
    }

    fn read(&self, id: u32) -> Option<Proposal> {
        serde_json::from_slice(&fs::read(self.file(id)).ok()?).ok()
    }

    fn file(&self, id: u32) -> PathBuf {
        self.0.join(id.to_string())
    }

    fn unusable(&self) -> String {
        format!("{}: proposals cannot be kept here", self.0.display())
    }
}

/// A file that its owner alone can read.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_made_at_once_are_each_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let proposals = Proposals::beside(&folder.path().join("apportion.db"));
        let keep = |call: usize| {
            let text = format!("sentence {call} {}", "x".repeat(call * 100));
            let proposal = Proposal { text, at_s: 0, zone: "UTC".into(), words: String::new() };
            (proposals.keep(&proposal, Time::from_s(0)).unwrap(), proposal)
        };
        let kept: Vec<(u32, Proposal)> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..40).map(|call| scope.spawn(move || keep(call))).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        for (id, proposal) in kept {
            assert_eq!(proposals.get(id, Time::from_s(0)).unwrap(), proposal);
        }
    }

    #[test]
    fn proposals_wait_fifteen_minutes_and_not_a_hundred_deep() {
        let folder = tempfile::tempdir().unwrap();
        let proposals = Proposals::beside(&folder.path().join("apportion.db"));
        let at = |at_s: i64| Proposal { text: "t".into(), at_s, zone: "UTC".into(), words: format!("w{at_s}") };
        let time = Time::from_s;
        assert!(proposals.waiting(time(0)).unwrap().is_empty());
        assert_eq!(proposals.keep(&at(0), time(0)).unwrap(), 1);
        assert_eq!(proposals.keep(&at(600), time(600)).unwrap(), 2);
        assert_eq!(proposals.get(1, time(900)).unwrap(), at(0));
        assert!(proposals.get(1, time(901)).is_err() && proposals.get(3, time(0)).is_err());
        assert_eq!(proposals.waiting(time(901)).unwrap(), [(2, at(600))]);
        proposals.forget(2);
        for _ in 0..MOST_WAITING {
            proposals.keep(&at(901), time(901)).unwrap();
        }
        assert!(proposals.keep(&at(901), time(901)).unwrap_err().to_string().contains("wait already"));
        std::fs::write(folder.path().join("apportion.proposed/7"), "broken").unwrap();
        assert!(proposals.get(7, time(901)).is_err());
    }
}
