//! Names for groups of processes that last longer than the processes. Pure.
//!
//! A group is one executable in one session. Sessions are numbers that are never the same again, so that a group is named
//! by a slot instead: the first session of `redis-server` is `redis-server`, a second one at the same time is
//! `redis-server#2`, and a session that starts after one has ended takes its slot over, with its history and its counters.

use apportion_core::WorkloadId;
use std::collections::BTreeMap;

/// What processes have used since they started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time, clock ticks.
    pub(crate) cpu_ticks: u64,
    /// From block devices, bytes.
    pub(crate) read_bytes: u64,
    /// To block devices, bytes.
    pub(crate) write_bytes: u64,
}

impl Usage {
    pub(crate) fn add(&mut self, other: Self) {
        self.cpu_ticks = self.cpu_ticks.saturating_add(other.cpu_ticks);
        self.read_bytes = self.read_bytes.saturating_add(other.read_bytes);
        self.write_bytes = self.write_bytes.saturating_add(other.write_bytes);
    }

    /// What was used since `earlier`.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ticks: self.cpu_ticks.saturating_sub(earlier.cpu_ticks),
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            write_bytes: self.write_bytes.saturating_sub(earlier.write_bytes),
        }
    }
}

/// What the living processes of a group hold at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) processes_count: u64,
    pub(crate) threads_count: u64,
    pub(crate) resident_pages: u64,
    /// Pages that no other process can have.
    pub(crate) private_pages: u64,
    /// The most shared pages of any one process: forks share most of theirs, so that a sum would count them many times.
    pub(crate) shared_pages: u64,
    pub(crate) used: Usage,
    /// Whether block I/O of any process could be read.
    pub(crate) has_io: bool,
}

/// A group of processes.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: WorkloadId,
    /// Path of the executable.
    pub(crate) executable: String,
    /// Name that the first process showed.
    pub(crate) command: String,
    /// The session that has the slot now.
    pub(crate) session: Option<u64>,
    /// What processes that have ended had used: a counter must not go back when one does.
    pub(crate) ended: Usage,
    /// The present look.
    pub(crate) holding: Holding,
    /// Looks in a row with processes.
    pub(crate) looks: u32,
    empty_looks: u32,
}

/// A slot's place: name of the executable and number from 1.
pub(crate) type SlotKey = (String, u32);

/// An empty slot is forgotten after so many looks (an hour at 10 s); its name then starts anew.
const FORGET_LOOKS: u32 = 360;

/// All slots.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: BTreeMap<SlotKey, Slot>,
    owners: BTreeMap<(String, u64), SlotKey>,
}

impl Slots {
    /// The slot of an executable in a session; a free or a new one where it has none yet.
    pub(crate) fn of(&mut self, executable: &str, command: &str, session: u64) -> SlotKey {
        let owner = (executable.to_owned(), session);
        if let Some(key) = self.owners.get(&owner) {
            return key.clone();
        }
        let base = executable.rsplit('/').next().filter(|base| !base.is_empty()).unwrap_or(executable).to_owned();
        let key = (base.clone(), self.free_number(&base, executable));
        let slot = self.slots.entry(key.clone()).or_insert_with(|| Slot {
            id: slot_id(&key),
            executable: executable.to_owned(),
            command: command.to_owned(),
            session: None,
            ended: Usage::default(),
            holding: Holding::default(),
            looks: 0,
            empty_looks: 0,
        });
        slot.session = Some(session);
        self.owners.insert(owner, key.clone());
        key
    }

    /// The least number whose slot is free for this executable.
    fn free_number(&self, base: &str, executable: &str) -> u32 {
        let is_taken = |number: u32| {
            let slot = self.slots.get(&(base.to_owned(), number));
            let is_machine = number == 1 && base == WorkloadId::MACHINE;
            is_machine || slot.is_some_and(|slot| slot.session.is_some() || slot.executable != executable)
        };
        (1..).find(|number| !is_taken(*number)).unwrap_or(u32::MAX)
    }

    pub(crate) fn get_mut(&mut self, key: &SlotKey) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    /// Every slot, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// Before the processes are looked at.
    pub(crate) fn begin_look(&mut self) {
        for slot in self.slots.values_mut() {
            slot.holding = Holding::default();
        }
    }

    /// After: slots without processes are free, and in the end forgotten.
    pub(crate) fn end_look(&mut self) {
        for slot in self.slots.values_mut() {
            if slot.holding.processes_count > 0 {
                slot.looks = slot.looks.saturating_add(1);
                slot.empty_looks = 0;
            } else {
                slot.looks = 0;
                slot.empty_looks += 1;
                if let Some(session) = slot.session.take() {
                    self.owners.remove(&(slot.executable.clone(), session));
                }
            }
        }
        self.slots.retain(|_, slot| slot.empty_looks < FORGET_LOOKS);
    }
}

fn slot_id((base, number): &SlotKey) -> WorkloadId {
    if *number == 1 { WorkloadId::new(base) } else { WorkloadId::new(&format!("{base}#{number}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(slots: &mut Slots, sessions: &[u64]) -> Vec<String> {
        slots.begin_look();
        let mut names = Vec::new();
        for session in sessions {
            let key = slots.of("/bin/redis", "redis", *session);
            let slot = slots.get_mut(&key).unwrap();
            slot.holding.processes_count += 1;
            names.push(slot.id.to_string());
        }
        slots.end_look();
        names
    }

    #[test]
    fn sessions_take_over_what_others_leave() {
        let mut slots = Slots::default();
        assert_eq!(look(&mut slots, &[7]), ["redis"]);
        assert_eq!(look(&mut slots, &[7, 9]), ["redis", "redis#2"]);
        assert_eq!(look(&mut slots, &[9]), ["redis#2"]);
        assert_eq!(look(&mut slots, &[9, 12]), ["redis#2", "redis"]);
    }

    #[test]
    fn other_executables_of_the_same_name_are_others() {
        let mut slots = Slots::default();
        look(&mut slots, &[7]);
        let key = slots.of("/opt/redis", "redis", 7);
        assert_eq!(slots.get_mut(&key).unwrap().id.as_str(), "redis#2");
        let key = slots.of("/bin/machine", "machine", 7);
        assert_eq!(slots.get_mut(&key).unwrap().id.as_str(), "machine#2");
    }

    #[test]
    fn empty_slots_are_forgotten_in_the_end() {
        let mut slots = Slots::default();
        look(&mut slots, &[7]);
        for _ in 0..FORGET_LOOKS {
            assert_eq!(slots.iter().count(), 1);
            look(&mut slots, &[]);
        }
        assert_eq!(slots.iter().count(), 0);
    }
}
