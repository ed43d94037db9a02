//! When an instruction is in force: its window, or each of its repetitions, cut off where it was taken back. Hours of repeated
//! windows are those of its zone, so that they stay the same when the clocks change.

use apportion_core::{Instructed, Time, instruction::Repeat, time::DAY_S};

/// Seconds that local time is ahead of UTC in a zone (an IANA name or an offset; `None` is the machine's) at a time.
pub type Offset<'a> = &'a (dyn Fn(Option<&str>, Time) -> i64 + 'a);

/// A repeated window without an end, seconds.
pub const REPEAT_LASTS_S: i64 = 3_600;
/// 1970-01-01 was a Thursday, three days after Monday.
const FIRST_WEEKDAY: i64 = 3;

/// When `said` is in force within `[from_s, to_s)`: spans of seconds since 1970, ends not included, in order.
#[must_use]
pub fn spans(said: &Instructed, from_s: i64, to_s: i64, offset: Offset<'_>) -> Vec<(i64, i64)> {
    let until_s = said.revoked.map_or(to_s, |revoked| revoked.s().min(to_s));
    let all = match said.instruction.repeat {
        None => vec![(said.begin().s(), said.end().map_or(i64::MAX, Time::s))],
        Some(repeat) => repeated(said, repeat, from_s, until_s, offset),
    };
    let cut = all.into_iter().map(|(begin, end)| (begin.max(from_s), end.min(until_s)));
    cut.filter(|(begin, end)| begin < end).collect()
}

/// True where `said` is in force at a time.
#[must_use]
pub fn is_in_force(said: &Instructed, at: Time, offset: Offset<'_>) -> bool {
    !spans(said, at.s(), at.s() + 1, offset).is_empty()
}

fn repeated(said: &Instructed, repeat: Repeat, from_s: i64, to_s: i64, offset: Offset<'_>) -> Vec<(i64, i64)> {
    let zone = said.instruction.zone.as_deref();
    let local = |time: Time| time.s() + offset(zone, time);
    let utc = |local_s: i64| {
        let near_s = local_s - offset(zone, Time::from_s(local_s));
        local_s - offset(zone, Time::from_s(near_s))
    };
    let first_s = local(said.begin());
    let length_s = said.instruction.end.map(|end| local(end) - first_s).filter(|length_s| *length_s > 0);
    let length_s = length_s.unwrap_or(REPEAT_LASTS_S);
    let (first_day, hour_s) = (first_s.div_euclid(DAY_S), first_s.rem_euclid(DAY_S));
    // Two days of slack: zones are at most 14 hours off.
    let from_day = first_day.max((from_s - length_s).div_euclid(DAY_S) - 2);
    let days = from_day..=(to_s.div_euclid(DAY_S) + 2);
    let fits = |day: &i64| is_on(repeat, *day, first_day, length_s);
    days.filter(fits).map(|day| (utc(day * DAY_S + hour_s), utc(day * DAY_S + hour_s + length_s))).collect()
}

/// Whether a repetition begins on `day` (days since 1970). A window of more than a day is that of the whole weekend or week, and
/// begins once in it.
fn is_on(repeat: Repeat, day: i64, first_day: i64, length_s: i64) -> bool {
    let weekday = |day: i64| (day + FIRST_WEEKDAY).rem_euclid(7);
    let once = length_s > DAY_S;
    match repeat {
        Repeat::Daily => true,
        Repeat::Weekdays => {
            if once {
                weekday(day) == 0
            } else {
                weekday(day) < 5
            }
        }
        Repeat::Weekends => weekday(day) == 5 || (weekday(day) == 6 && !once),
        Repeat::Weekly => weekday(day) == weekday(first_day),
    }
}
