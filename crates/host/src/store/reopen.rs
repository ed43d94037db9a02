//! Going on in a store that was brought back to its place: a file system that has given itself up stays so for whoever has files on it
//! open, also when it is mended and mounted anew, or another disk with the store is.

use super::{Inner, db::Db, head::Head};

impl Inner {
    /// After a write that failed: true where the store lies at its place again and was taken up, with all that waits in memory.
    pub(super) fn reopen(&mut self) -> bool {
        let Some(opened) = self.db.anew() else { return false };
        match opened.map_err(|error| error.to_string()).and_then(|db| self.go_on_in(db)) {
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

    /// Readings that the journal has are taken from it, and those that wait are put behind them: what was packed last may be undone there.
    fn go_on_in(&mut self, db: Db) -> Result<(), String> {
        if !self.pending.is_last_written(&db.connection).map_err(|error| error.to_string())? {
            return Err("it is not the store that this run wrote; bring that back, or start anew".to_owned());
        }
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
