//! One way to reach a knob, and the order to turn it. Only an admitted change or a recorded former value makes an order.

use super::ActError;
use apportion_core::{Admitted, Knob, Outcome, Setting, Workload};

/// Leave to set one knob. Made from an [`Admitted`] change, or by [`super::restore`] from a recorded former value;
/// by nothing else.
#[derive(Clone, Debug)]
pub struct Order {
    workload: Workload,
    knob: Knob,
    to: Setting,
}

impl Order {
    pub(super) const fn put_back(workload: Workload, knob: Knob, to: Setting) -> Self {
        Self { workload, knob, to }
    }
    fn returning(&self, to: Setting) -> Self {
        Self { to, ..self.clone() }
    }
    /// Whose knob.
    #[must_use]
    pub const fn workload(&self) -> &Workload {
        &self.workload
    }
    /// Which knob.
    #[must_use]
    pub const fn knob(&self) -> Knob {
        self.knob
    }
    /// What to set.
    #[must_use]
    pub const fn to(&self) -> Setting {
        self.to
    }
}

impl From<&Admitted> for Order {
    fn from(change: &Admitted) -> Self {
        Self { workload: change.workload().clone(), knob: change.knob(), to: change.to() }
    }
}

/// One way to reach knobs. Knows how, never whether.
pub trait Access {
    /// Name for people.
    fn name(&self) -> &str;
    /// What the knob is set to now, as the machine says.
    ///
    /// # Errors
    /// [`ActError::NotMine`] where another access should be tried; otherwise why the knob cannot be turned here.
    fn read(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError>;
    /// As [`Access::read`], at most a minute old where asking the machine is dear.
    ///
    /// # Errors
    /// As [`Access::read`].
    fn glance(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        self.read(workload, knob)
    }
    /// As [`apportion_core::Executor::is_lost`], as of the last look at it.
    fn is_lost(&self, workload: &Workload, knob: Knob) -> bool {
        let _ = (workload, knob);
        false
    }
    /// True where something is left of a value of this knob that is not in force, whoever took the rest away: undoing removes it.
    fn has_leftover(&self, workload: &Workload, knob: Knob) -> bool {
        let _ = (workload, knob);
        false
    }
    /// Sets the knob; checks nothing but that the write itself is safe.
    ///
    /// # Errors
    /// What the machine said, with the place and what to do.
    fn write(&mut self, order: &Order) -> Result<(), ActError>;
}

/// Compares, writes and reads back; on a mismatch puts `found` back where that is possible.
pub(super) fn turn(access: &mut dyn Access, order: &Order, found: Setting) -> Outcome {
    if found.same(order.to, order.knob) && !access.has_leftover(&order.workload, order.knob) {
        return Outcome::Unchanged;
    }
    match write_and_read_back(access, order) {
        Ok(read_back) => Outcome::Applied { read_back },
        Err(error) => Outcome::Failed { error: give_up(access, &order.returning(found), &error) },
    }
}

/// Writes and reads back, whatever the knob holds now.
pub(super) fn write_and_read_back(access: &mut dyn Access, order: &Order) -> Result<Setting, ActError> {
    access.write(order)?;
    let read_back = access.read(&order.workload, order.knob)?;
    if read_back.same(order.to, order.knob) {
        return Ok(read_back);
    }
    let place = format!("{} of {}", order.knob, order.workload.id);
    let why = format!("should be {} but is {read_back}; look for another program that sets it", order.to);
    Err(ActError::Unsafe { place, why })
}

/// After a failed write the former value must stand: puts it back unless it does, and says which of the two it was.
fn give_up(access: &mut dyn Access, former: &Order, error: &ActError) -> String {
    let stands = |access: &dyn Access| {
        access.read(&former.workload, former.knob).is_ok_and(|now| now.same(former.to, former.knob))
    };
    if stands(access) || matches!(error, ActError::Gone { .. }) {
        return error.to_string();
    }
    match access.write(former) {
        Ok(()) if stands(access) => format!("{error} (the former value {} was put back)", former.to),
        Ok(()) => format!("{error} (the former value {} was written again and did not hold)", former.to),
        Err(second) => format!("{error} (the former value {} could not be put back: {second})", former.to),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use Setting::{Unlimited, Value};
    use apportion_core::{WorkloadId, WorkloadKind};
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex, PoisonError},
    };

    /// How a fake machine takes a write.
    #[derive(Clone, Copy, PartialEq)]
    pub(in crate::act) enum Takes {
        Well,
        NotAtAll,
        RoundedTo(f64),
        ThenComplains,
        AndVanishes,
    }

    /// Knobs in memory; what was written, in order.
    pub(in crate::act) struct Fake {
        pub(in crate::act) takes: Takes,
        pub(in crate::act) knobs: BTreeMap<(WorkloadId, Knob), Setting>,
        pub(in crate::act) log: Arc<Mutex<Vec<(WorkloadId, Knob, Setting)>>>,
    }

    impl Access for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }
        fn read(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
            let gone = || ActError::Gone { place: workload.id.to_string() };
            self.knobs.get(&(workload.id.clone(), knob)).copied().ok_or_else(gone)
        }
        fn write(&mut self, order: &Order) -> Result<(), ActError> {
            let key = (order.workload.id.clone(), order.knob);
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push((key.0.clone(), key.1, order.to));
            match self.takes {
                Takes::NotAtAll => return Ok(()),
                Takes::AndVanishes => drop(self.knobs.remove(&key)),
                Takes::RoundedTo(unit) => {
                    let rounded = order.to.value().map_or(Unlimited, |value| Value((value / unit).floor() * unit));
                    self.knobs.insert(key, rounded);
                }
                Takes::Well | Takes::ThenComplains => drop(self.knobs.insert(key, order.to)),
            }
            if self.takes == Takes::ThenComplains {
                self.takes = Takes::Well;
                return Err(ActError::Unsafe { place: "/knob".to_owned(), why: "half done".to_owned() });
            }
            Ok(())
        }
    }

    pub(in crate::act) fn workload(name: &str) -> Workload {
        let (id, path) = (WorkloadId::new(name), format!("/{name}"));
        Workload { id, kind: WorkloadKind::Cgroup, path, labels: BTreeMap::new() }
    }

    #[test]
    fn a_turn_ends_in_the_new_value_or_the_former_one() {
        let check = |takes, expect: Result<f64, &str>, stands| {
            let key = (WorkloadId::new("web"), Knob::MemoryMax);
            let mut fake = Fake { takes, knobs: BTreeMap::from([(key.clone(), Unlimited)]), log: Arc::default() };
            let order = Order::put_back(workload("web"), Knob::MemoryMax, Value(1e9));
            match (turn(&mut fake, &order, Unlimited), expect) {
                (Outcome::Applied { read_back }, Ok(value)) => assert_eq!(read_back, Value(value)),
                (Outcome::Failed { error }, Err(part)) => assert!(error.contains(part), "{error}"),
                (outcome, expect) => panic!("{outcome:?} instead of {expect:?}"),
            }
            assert_eq!(fake.knobs.get(&key).copied(), stands, "{expect:?}");
        };
        check(Takes::Well, Ok(1e9), Some(Value(1e9)));
        check(Takes::RoundedTo(4_096.0), Ok(999_997_440.0), Some(Value(999_997_440.0)));
        check(Takes::RoundedTo(7e8), Err("should be 1000000000 but is 700000000"), Some(Unlimited));
        check(Takes::NotAtAll, Err("should be 1000000000 but is unlimited"), Some(Unlimited));
        check(Takes::ThenComplains, Err("unlimited was put back"), Some(Unlimited));
        check(Takes::AndVanishes, Err("web: gone"), None);
    }
}
