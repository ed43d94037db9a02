//! Going on in a store that was brought back to its place: a file system that has given itself up stays so for whoever has files on it
//! open, also when it is mended and mounted anew, or another disk with the store is.

use super::{
    Inner,
    db::{Db, open_read_only},
    head::Head,
};
use std::path::Path;

impl Inner {
    /// After a write that failed: true where the store lies at its place again and was taken up, with all that waits in memory.
    pub(super) fn reopen(&mut self) -> bool {
        let Some(path) = self.db.replaced() else { return false };
        match self.take_up(&path) {
            Ok(()) => {
                tracing::warn!("the store was brought back to its place, and is written again");
                true
            }
            Err(why) => {
                tracing::warn!("what lies at the store's place now is not taken up: {why}");
                false
            }
        }
    }

    /// What lies there is only read until it is known to be this store: opened for writing, one of an earlier version is migrated.
    fn take_up(&mut self, path: &Path) -> Result<(), String> {
        let found = open_read_only(path).map_err(|error| error.to_string())?;
        if !self.pending.is_last_written(&found).map_err(|error| error.to_string())? {
            return Err("it is not the store that this run wrote; bring that back, or start anew".to_owned());
        }
        drop(found);
        self.go_on_in(Db::open_to_write(path).map_err(|error| error.to_string())?)
    }

    /// Readings that the journal has are taken from it, and those that wait are put behind them: what was packed last may be undone there.
    fn go_on_in(&mut self, db: Db) -> Result<(), String> {
        let failed = std::mem::replace(&mut self.db, db);
        let before = std::mem::take(&mut self.heads);
        if let Err(error) = self.resume() {
            std::mem::replace(&mut self.db, failed).leave_log();
            self.heads = before;
            return Err(error.to_string());
        }
        for (workload, heads) in before {
            let resumed = self.heads.entry(workload).or_default();
            for (metric, head) in heads.iter().filter(|(_, head)| !head.unjournaled().is_empty()) {
                let resumed = resumed.entry(metric.clone()).or_insert_with(|| Head::new(metric.kind()));
                for point in head.unjournaled() {
                    resumed.push(*point);
                }
            }
        }
        self.known.values_mut().for_each(|known| known.written = None);
        failed.leave_log();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Inner, Options, Store, db::Durability, schema};
    use apportion_core::{DecisionId, LoopState};
    use rusqlite::Connection;
    use std::{fs, path::Path, sync::PoisonError};

    fn with<T>(store: &Store, job: impl FnOnce(&mut Inner) -> T) -> T {
        job(&mut store.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[allow(clippy::field_reassign_with_default, reason = "other fields are private")]
    fn state(next: u64) -> LoopState {
        let mut state = LoopState::default();
        state.next_id = DecisionId(next);
        state
    }

    fn open(path: &Path) -> Store {
        Store::open(path, Access::ReadWrite, Options::default()).unwrap()
    }

    /// A folder at the place of a disk that went away with all that was on it.
    fn exchange(disk: &Path) {
        fs::rename(disk, disk.with_extension("away")).unwrap();
        fs::create_dir(disk).unwrap();
    }

    #[test]
    fn a_store_of_others_at_the_place_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        let path = disk.join("a.db");
        fs::create_dir(&disk).unwrap();
        let store = open(&path);
        store.save_state(&state(7)).unwrap();
        exchange(&disk);
        let mut older = Connection::open(&path).unwrap();
        schema::migrate(&mut older, &path, 1).unwrap();
        drop(older);
        let before = fs::read(&path).unwrap();
        assert!(!with(&store, Inner::reopen));
        assert!(fs::read(&path).unwrap() == before, "it was migrated");
    }

    /// Of a commit that fails it is not known whether it has reached the disk: here it has.
    #[test]
    fn a_store_that_has_what_was_not_known_to_be_written_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        let path = disk.join("a.db");
        fs::create_dir(&disk).unwrap();
        let store = open(&path);
        store.save_state(&state(7)).unwrap();
        with(&store, |inner| {
            inner.pending.state = Some(serde_json::to_string(&state(8)).unwrap());
            let pending = &inner.pending;
            inner.db.write("a commit", Durability::Full, |transaction| pending.write(transaction)).unwrap();
            inner.pending.note(false);
            inner.db.checkpoint().unwrap();
        });
        exchange(&disk);
        fs::copy(disk.with_extension("away").join("a.db"), &path).unwrap();
        assert!(with(&store, Inner::reopen), "what was tried is this store's");
        store.save_state(&state(7)).unwrap();
        drop(store);
        assert_eq!(open(&path).load_state().unwrap().next_id, DecisionId(7), "the last that was saved counts");
    }
}
