use super::*;
use proptest::prelude::*;

/// Berlin: two hours ahead in summer; the clocks went back on Sunday 2026-10-25 at 01:00 UTC.
fn berlin(_: Option<&str>, at: Time) -> i64 {
    if at.s() < 1_792_890_000 { 2 * HOUR_S } else { HOUR_S }
}

/// Spans within the fortnight from Monday, in hours after Monday midnight.
fn check(instruction: Instruction, expect: &[(i64, i64)]) {
    let made = spans(&said(1, hour(9.0), instruction.clone()), MONDAY_S, MONDAY_S + 14 * DAY_S, &utc);
    let hours = |at: i64| (at - MONDAY_S) / HOUR_S;
    let made: Vec<(i64, i64)> = made.into_iter().map(|(from, to)| (hours(from), hours(to))).collect();
    assert_eq!(made, expect, "{instruction:?}");
}

#[test]
fn windows_and_their_repetitions() {
    let event = || of(InstructionKind::Event, &[]);
    check(event(), &[(9, 336)]);
    check(within(20.0, 22.0, event()), &[(20, 22)]);
    check(Instruction { start: Some(hour(20.0)), ..event() }, &[(20, 336)]);
    check(Instruction { end: Some(hour(30.0)), ..event() }, &[(9, 30)]);
    check(within(20.0, 20.0, event()), &[]);
    let nights: Vec<(i64, i64)> = (0..14).map(|day| (day * 24 + 22, (day * 24 + 30).min(336))).collect();
    check(every(Repeat::Daily, within(22.0, 30.0, event())), &nights);
    let work = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11].map(|day| (day * 24 + 9, day * 24 + 18));
    check(every(Repeat::Weekdays, within(9.0, 18.0, event())), &work);
    check(every(Repeat::Weekends, within(120.0, 168.0, event())), &[(120, 168), (288, 336)]);
    let brunch = [5, 6, 12, 13].map(|day| (day * 24 + 10, day * 24 + 12));
    check(every(Repeat::Weekends, within(130.0, 132.0, event())), &brunch);
    check(every(Repeat::Weekly, within(114.0, 120.0, event())), &[(114, 120), (282, 288)]);
    // Without an end, an hour.
    let hourly = every(Repeat::Weekly, Instruction { start: Some(hour(50.0)), ..event() });
    check(hourly, &[(50, 51), (218, 219)]);
}

#[test]
fn reports_expire() {
    let report = || of(InstructionKind::Report, &[]);
    check(report(), &[(9, 11)]);
    check(Instruction { end: Some(hour(15.0)), ..report() }, &[(9, 15)]);
    check(Instruction { end: Some(hour(1_000.0)), ..report() }, &[(9, 9 + 7 * 24)]);
}

#[test]
fn hours_stay_the_same_when_the_clocks_change() {
    // Every day 09:00-18:00 in Berlin, first on Saturday 2026-10-24: 07:00 UTC, from Sunday on 08:00 UTC.
    let saturday = Time::from_s(1_792_800_000 + 7 * HOUR_S);
    let daily = Instruction {
        start: Some(saturday),
        end: Some(saturday.plus_s(9 * HOUR_S)),
        repeat: Some(Repeat::Daily),
        ..of(InstructionKind::Event, &[])
    };
    let made = spans(&said(1, saturday, daily), saturday.s(), saturday.s() + 3 * DAY_S, &berlin);
    let starts: Vec<i64> = made.iter().map(|(from, _)| (from - 1_792_800_000) / HOUR_S).collect();
    assert_eq!(starts, [7, 24 + 8, 48 + 8]);
    assert!(made.iter().all(|(from, to)| to - from == 9 * HOUR_S || *to == saturday.s() + 3 * DAY_S), "{made:?}");
}

#[test]
fn what_is_revoked_ends_then() {
    let mut event = said(1, hour(9.0), every(Repeat::Daily, within(20.0, 22.0, of(InstructionKind::Event, &[]))));
    event.revoked = Some(hour(45.0));
    let made = spans(&event, MONDAY_S, MONDAY_S + 7 * DAY_S, &utc);
    assert_eq!(made, [(hour(20.0).s(), hour(22.0).s()), (hour(44.0).s(), hour(45.0).s())]);
}

proptest! {
    /// However it is looked at, an instruction is in force at the same times.
    #[test]
    fn the_window_looked_at_does_not_matter(start in 0.0_f64..200.0, length in 0.1_f64..60.0, at in 0_i64..400, which in 0_usize..5) {
        let repeat = [None, Some(Repeat::Daily), Some(Repeat::Weekdays), Some(Repeat::Weekends), Some(Repeat::Weekly)][which];
        let event = Instruction { repeat, ..within(start, start + length, of(InstructionKind::Event, &[])) };
        let event = said(1, hour(0.0), event);
        let at_s = hour(0.0).s() + at * HOUR_S;
        let whole = spans(&event, MONDAY_S, MONDAY_S + 30 * DAY_S, &berlin);
        let inside = whole.iter().any(|(from, to)| *from <= at_s && at_s < *to);
        prop_assert_eq!(is_in_force(&event, Time::from_s(at_s), &berlin), inside);
    }
}
