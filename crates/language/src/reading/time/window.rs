//! One window of time from the moments, lengths and repetitions of a sentence.

use super::{
    atom::{Atom, Clock, Days, Kind, Part, atoms},
    moment::{Moment, Role, moments},
};
use crate::reading::text::Text;
use apportion_core::instruction::Repeat;
use jiff::{
    Span, ToSpan, Zoned,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};

/// From when until when, and whether it repeats. No start is now, no end is until revoked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Window {
    pub(crate) start: Option<Zoned>,
    pub(crate) end: Option<Zoned>,
    pub(crate) repeat: Option<Repeat>,
}

/// What was read, and which places of the sentence it was read from.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeReading {
    pub(crate) window: Window,
    pub(crate) places: Vec<(usize, usize)>,
    /// True where an end or a length was said, not only a day.
    pub(crate) says_end: bool,
    /// Words of a time that could not be made one ("31 February", an end before the start).
    pub(crate) unread: Vec<String>,
}

/// The window that a sentence speaks of at `now`, without looking at the places that are `taken` by amounts and names.
pub(crate) fn read(text: &Text, now: &Zoned, taken: &[(usize, usize)]) -> TimeReading {
    let atoms = atoms(text, now.date(), taken);
    let moments = moments(text, &atoms);
    let reader = Reader { text, now, atoms: &atoms, moments };
    let places = atoms.iter().filter(|atom| atom.is_time()).map(|atom| (atom.start, atom.end)).collect();
    let says_end = reader.finish(None).is_some() || reader.length().is_some_and(|(_, role)| role == LengthRole::For);
    match reader.window() {
        Some(window) => TimeReading { window, places, says_end, unread: Vec::new() },
        None => {
            let unread =
                atoms.iter().filter(|atom| atom.is_time()).map(|atom| text.slice(atom.start, atom.end)).collect();
            TimeReading { window: Window::default(), places, says_end, unread }
        }
    }
}

struct Reader<'a> {
    text: &'a Text,
    now: &'a Zoned,
    atoms: &'a [Atom],
    moments: Vec<Moment>,
}

impl Reader<'_> {
    fn window(&self) -> Option<Window> {
        let begin = self.begin();
        let finish = self.finish(begin.as_ref());
        let length = self.length();
        match self.repeat(begin.as_ref()) {
            Some((repeat, on)) => self.repeated(repeat, on, begin.as_ref(), finish.as_ref(), length),
            None => self.once(begin.as_ref(), finish.as_ref(), length),
        }
    }

    /// Where the window begins: the first moment that does not end it, filled with the day or hour said elsewhere.
    fn begin(&self) -> Option<Moment> {
        let mut candidates = self
            .moments
            .iter()
            .filter(|moment| !moment.role.ends() && moment.role != Role::Past && moment.end_of.is_none());
        let first = *candidates.next()?;
        let rest: Vec<&Moment> = candidates.collect();
        if first.clock.is_none() {
            // "this afternoon from 3 to 5": the hour is said later.
            let hour = rest.iter().find(|moment| moment.clock.is_some() && moment.days.is_none());
            return Some(hour.map_or(first, |hour| Moment { role: hour.role, ..first.filled_from(hour) }));
        }
        if first.days.is_none() {
            let day = rest.iter().find(|moment| moment.days.is_some() && moment.clock.is_none());
            return Some(day.map_or(first, |day| first.filled_from(day)));
        }
        Some(first)
    }

    fn finish(&self, begin: Option<&Moment>) -> Option<Moment> {
        let mut finish = *self
            .moments
            .iter()
            .find(|moment| moment.role.ends() || moment.end_of.is_some_and(|_| is_limit(self.text, moment)))?;
        if begin.is_some_and(|begin| begin.utc) {
            finish.utc = true;
        }
        Some(finish)
    }

    fn repeat(&self, begin: Option<&Moment>) -> Option<(Repeat, Option<Weekday>)> {
        let said = self.atoms.iter().find_map(|atom| match atom.kind {
            Kind::Repeat(repeat, on) => Some((repeat, on)),
            _ => None,
        });
        let timed = begin.is_some_and(|begin| begin.clock.is_some());
        let habit = self.atoms.iter().find_map(|atom| match atom.kind {
            Kind::Habit(repeat) if timed => Some((repeat, None)),
            _ => None,
        });
        said.or(habit)
    }

    /// The length of the window, or how far off it begins.
    fn length(&self) -> Option<(Span, LengthRole)> {
        self.atoms.iter().find_map(|atom| match atom.kind {
            Kind::Length(span) => Some((span, length_role(self.text, atom)?)),
            _ => None,
        })
    }

    fn once(
        &self,
        begin: Option<&Moment>,
        finish: Option<&Moment>,
        length: Option<(Span, LengthRole)>,
    ) -> Option<Window> {
        let mut start = match (begin, length) {
            (Some(begin), _) => Some(self.start_of(begin)?),
            (None, Some((span, LengthRole::Off))) => Some(self.now.checked_add(span).ok()?),
            _ => None,
        };
        let mut end = match (finish, length, begin) {
            (Some(finish), ..) => Some(self.end_of(finish, begin, start.as_ref())?),
            (None, Some((span, LengthRole::For)), _) => {
                let from = start.as_ref().unwrap_or(self.now);
                Some(from.checked_add(span).ok()?)
            }
            (None, _, Some(begin)) => self.natural_end(begin)?,
            (None, _, None) => None,
        };
        // A window of hours alone that is over today is tomorrow's.
        if begin.is_some_and(|begin| begin.days.is_none()) && end.as_ref().is_some_and(|end| end <= self.now) {
            start = start.map(|start| start.tomorrow()).transpose().ok()?;
            end = end.map(|end| end.tomorrow()).transpose().ok()?;
        }
        if end.as_ref().is_some_and(|end| end <= self.now)
            || start.as_ref().zip(end.as_ref()).is_some_and(|(start, end)| end <= start)
        {
            return None;
        }
        Some(Window { start: start.filter(|start| start > self.now), end, repeat: None })
    }

    fn zone(&self, moment: &Moment) -> TimeZone {
        if moment.utc { TimeZone::UTC } else { self.now.time_zone().clone() }
    }

    fn at(&self, date: Date, minutes: i32, moment: &Moment) -> Option<Zoned> {
        let civil: DateTime = date.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()?;
        Some(civil.to_zoned(self.zone(moment)).ok()?.with_time_zone(self.now.time_zone().clone()))
    }

    fn start_of(&self, moment: &Moment) -> Option<Zoned> {
        let today = self.now.with_time_zone(self.zone(moment)).date();
        let Some(minutes) = start_minutes(moment) else {
            let days = moment.days?;
            let after = if moment.role == Role::After { days.days } else { 0 };
            return self.at(days.first.checked_add(after.days()).ok()?, 0, moment);
        };
        let date = moment.days.map_or(today, |days| days.first);
        let start = self.at(date, minutes, moment)?;
        let may_move = moment.clock.is_some_and(|clock| !clock.fixed) && moment.part.is_none() && minutes < 720;
        if start < *self.now && may_move && date == today {
            let later = self.at(date, minutes + 720, moment)?;
            if later > *self.now {
                return Some(later);
            }
        }
        let alone =
            moment.days.is_none() && moment.clock.is_some() && !self.moments.iter().any(|moment| moment.role.ends());
        if start < *self.now && alone { start.tomorrow().ok() } else { Some(start) }
    }

    /// The end that a day, a part or a span has by itself; none for an hour or where it goes on.
    fn natural_end(&self, begin: &Moment) -> Option<Option<Zoned>> {
        if begin.clock.is_some() || matches!(begin.role, Role::From | Role::Onwards | Role::After) {
            return Some(None);
        }
        let today = self.now.date();
        let days = begin.days.unwrap_or(Days { first: today, days: 1, named_end: false });
        let end = match begin.part {
            Some(part) => self.at(days.first, i32::from(part.hours().1) * 60, begin)?,
            None => self.at(days.first.checked_add(days.days.days()).ok()?, 0, begin)?,
        };
        Some(Some(end))
    }

    fn end_of(&self, finish: &Moment, begin: Option<&Moment>, start: Option<&Zoned>) -> Option<Zoned> {
        if let Some(date) = finish.end_of {
            return self.at(date, 0, finish);
        }
        let Some(mut minutes) = end_minutes(finish, begin) else {
            let days = finish.days?;
            let after = if finish.role == Role::Until { 0 } else { days.days };
            return self.at(days.first.checked_add(after.days()).ok()?, 0, finish);
        };
        let start_date = start.map(|start| start.with_time_zone(self.zone(finish)).date());
        let date = finish
            .days
            .map(|days| days.first)
            .or(start_date)
            .unwrap_or_else(|| self.now.with_time_zone(self.zone(finish)).date());
        let after = start.unwrap_or(self.now);
        let movable = finish.clock.is_some_and(|clock| !clock.fixed) && finish.part.is_none();
        if self.at(date, minutes, finish)? <= *after && movable && minutes <= 720 {
            minutes += 720;
        }
        let end = self.at(date, minutes, finish)?;
        if end <= *after && finish.days.is_none() { end.tomorrow().ok() } else { Some(end) }
    }

    fn repeated(
        &self,
        repeat: Repeat,
        on: Option<Weekday>,
        begin: Option<&Moment>,
        finish: Option<&Moment>,
        length: Option<(Span, LengthRole)>,
    ) -> Option<Window> {
        let begin = begin.copied();
        let whole = |moment: &Moment| moment.clock.is_none() && moment.part.is_none();
        let hours = begin.filter(|begin| !whole(begin));
        let minutes = hours.as_ref().and_then(start_minutes).unwrap_or(0);
        let on = on.or_else(|| {
            begin.and_then(|begin| begin.days).map(|days| days.first.weekday()).filter(|_| repeat == Repeat::Weekly)
        });
        let zone_of = hours.unwrap_or_else(|| Moment { days: None, ..plain() });
        let first = self.first_date(repeat, on, minutes, &zone_of, hours.is_none())?;
        let start = self.at(first, minutes, &zone_of)?;
        let finish = finish.filter(|finish| finish.days.is_none() && finish.end_of.is_none());
        let end = match (finish, length, hours) {
            (Some(finish), ..) => Some(self.end_of(&Moment { days: None, ..*finish }, hours.as_ref(), Some(&start))?),
            (None, Some((span, LengthRole::For)), _) => Some(start.checked_add(span).ok()?),
            (None, _, Some(hours)) if hours.clock.is_some() => None,
            (None, _, Some(hours)) => Some(self.at(first, i32::from(hours.part?.hours().1) * 60, &hours)?),
            (None, _, None) => {
                let days = if repeat == Repeat::Weekends { 2 } else { 1 };
                Some(self.at(first.checked_add(days.days()).ok()?, 0, &zone_of)?)
            }
        };
        Some(Window { start: Some(start), end, repeat: Some(repeat) })
    }

    /// The first day of a repetition whose start is not before now.
    fn first_date(
        &self,
        repeat: Repeat,
        on: Option<Weekday>,
        minutes: i32,
        moment: &Moment,
        whole_days: bool,
    ) -> Option<Date> {
        let today = self.now.date();
        (0..15).find_map(|ahead: i32| {
            let date = today.checked_add(ahead.days()).ok()?;
            let weekday = date.weekday();
            let weekend = matches!(weekday, Weekday::Saturday | Weekday::Sunday);
            let fits = match repeat {
                Repeat::Daily => true,
                Repeat::Weekdays => !weekend,
                Repeat::Weekends => weekend && (!whole_days || weekday == Weekday::Saturday),
                Repeat::Weekly => on.is_none_or(|on| on == weekday),
            };
            (fits && self.at(date, minutes, moment)? >= *self.now).then_some(date)
        })
    }
}

fn plain() -> Moment {
    Moment { start: 0, end: 0, days: None, end_of: None, part: None, clock: None, utc: false, role: Role::Plain }
}

/// "end of the month" is a limit only behind "until", "by" and the like; "month-end close" is a name.
fn is_limit(text: &Text, moment: &Moment) -> bool {
    let before = text.slice(moment.start.saturating_sub(20), moment.start);
    let before = before.trim_end().trim_end_matches("the").trim_end();
    let led = ["until", "till", "til", "through", "by", "before", "to", "-", "到", "至", "直到"]
        .iter()
        .any(|word| before.ends_with(word));
    let after = text.slice(moment.end, (moment.end + 6).min(text.len()));
    led || ["前", "为止", "之前", "以前", "之内", "内", "截止"].iter().any(|word| after.trim_start().starts_with(word))
        || text.slice(moment.start, moment.end).ends_with('内')
}

/// Minutes after midnight at which a moment begins; none where it has neither hour nor part.
fn start_minutes(moment: &Moment) -> Option<i32> {
    match (moment.clock, moment.part) {
        (Some(clock), part) => Some(clock_minutes(clock, part, true)),
        (None, Some(part)) => Some(i32::from(part.hours().0) * 60),
        (None, None) => None,
    }
}

/// Minutes after midnight at which a moment ends the window that `begin` begins.
fn end_minutes(finish: &Moment, begin: Option<&Moment>) -> Option<i32> {
    let own = finish.days.is_none().then(|| begin.and_then(|begin| begin.part)).flatten();
    match (finish.clock, finish.part) {
        (Some(clock), part) => Some(clock_minutes(clock, part.or(own.filter(|_| !clock.fixed)), false)),
        (None, Some(part)) if finish.role == Role::Until => Some(i32::from(part.hours().0) * 60),
        (None, Some(part)) => Some(i32::from(part.hours().1) * 60),
        (None, None) => None,
    }
}

/// An hour in a part of the day: "下午3点" is 15:00, "晚上12点" the midnight to come, "今晚1点" after it.
fn clock_minutes(clock: Clock, part: Option<Part>, begins: bool) -> i32 {
    let hour = i32::from(clock.hour);
    let moved = match part {
        Some(Part::Afternoon) if !clock.fixed && hour < 12 => hour + 12,
        Some(Part::Noon) if !clock.fixed && hour < 6 => hour + 12,
        Some(Part::Evening) if !clock.fixed && (5..=12).contains(&hour) => hour + 12,
        Some(Part::Evening) if hour < 5 => hour + 24,
        Some(Part::Small) if hour == 12 => 0,
        Some(Part::Small) if hour == 24 && begins => 0,
        _ => hour,
    };
    moved * 60 + i32::from(clock.minute)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthRole {
    /// The window lasts so long.
    For,
    /// It begins after so long.
    Off,
}

/// What a length is to the window; none where it speaks of the past or of something else.
fn length_role(text: &Text, atom: &Atom) -> Option<LengthRole> {
    let before = text.slice(atom.start.saturating_sub(28), atom.start);
    let before = before.trim_end();
    let after = text.slice(atom.end, (atom.end + 16).min(text.len()));
    let after = after.trim_start();
    let ends = |words: &[&str]| words.iter().any(|word| before.ends_with(word));
    let begins = |words: &[&str]| words.iter().any(|word| after.starts_with(word));
    let over = ends(&[
        "past",
        "last",
        "previous",
        "over the last",
        "过去",
        "最近",
        "近",
        "之前的",
        "已经",
        "已",
        "连续",
        "提前",
        "every",
        "每",
        "每隔",
        "持续了",
        "within the last",
        "超过",
        "about every",
        "上",
        "前",
    ]) || begins(&[
        "ago",
        "early",
        "earlier",
        "ahead",
        "前",
        "之前",
        "以前",
        "一次",
        "old",
        "behind",
        "in advance",
        "of history",
        "of backlog",
        "late",
        "long-running",
        "来",
        "以来",
    ]) || (before.contains("been") || before.contains("已经")) && !ends(&["next", "coming"]);
    if over {
        return None;
    }
    let off = begins(&["from now", "后", "之后", "以后", "later", "过后"])
        || ends(&[" in", " in about", "再过", "过"])
        || before == "in";
    Some(if off { LengthRole::Off } else { LengthRole::For })
}
