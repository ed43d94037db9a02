//! One window of time from the moments, lengths and repetitions of a sentence.

use super::{
    atom::{Atom, Clock, Days, Kind, Named, Part, atoms},
    length::{LengthRole, length_role},
    moment::{Moment, Role, moments},
    open,
};
use crate::reading::text::Text;
use apportion_core::instruction::Repeat;
use jiff::{
    Span, ToSpan, Zoned,
    civil::{Date, DateTime, Weekday},
    tz::{Offset, TimeZone},
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
    /// Words of a window that was over before now ("tonight 20:00-22:00", said at 23:00).
    pub(crate) over: Vec<String>,
    /// Words of times beside the window that it does not hold ("from 8 to 10 and again from 18 to 20").
    pub(crate) spare: Vec<String>,
    /// Words that bound no window: times that are over ("yesterday"), an end with no time ("until the deploy").
    pub(crate) idle: Vec<String>,
}

/// The window that a sentence speaks of at `now`, without looking at the places that are `taken` by amounts and names.
pub(crate) fn read(text: &Text, now: &Zoned, taken: &[(usize, usize)]) -> TimeReading {
    let mut atoms = atoms(text, now.date(), taken);
    atoms.retain(|atom| !matches!(atom.kind, Kind::Unread) || !is_here(&text.slice(atom.start, atom.end), now));
    let moments = moments(text, &atoms);
    let reader = Reader { text, now, atoms: &atoms, moments };
    let places = atoms.iter().filter(|atom| atom.is_time()).map(|atom| (atom.start, atom.end)).collect();
    let says_end = reader.finish().is_some() || reader.lengths().lasts.is_some();
    let words = |of: fn(&Atom) -> bool| -> Vec<String> {
        atoms
            .iter()
            .filter(|atom| of(atom) && atom.start < atom.end)
            .map(|atom| text.slice(atom.start, atom.end))
            .collect()
    };
    let mut idle = words(|atom| matches!(atom.kind, Kind::Past));
    idle.extend(open::ends_without_time(text, &atoms));
    let is_over = |window: &Window| window.end.as_ref().is_some_and(|end| end <= now);
    let (window, unread, spare) = match reader.window() {
        Some(window) => (window, words(|atom| matches!(atom.kind, Kind::Unread)), reader.spare()),
        None => (Window::default(), words(Atom::is_time), Vec::new()),
    };
    let over = if is_over(&window) { words(Atom::is_time) } else { Vec::new() };
    if window == Window::default() && reader.has_passed() {
        idle.extend(words(Atom::is_time));
    }
    TimeReading { window, places, says_end, unread, over, spare, idle }
}

/// True for the zone that the operator's clock shows.
fn is_here(zone: &str, now: &Zoned) -> bool {
    now.strftime("%Z").to_string().eq_ignore_ascii_case(zone)
}

struct Reader<'a> {
    text: &'a Text,
    now: &'a Zoned,
    atoms: &'a [Atom],
    moments: Vec<Moment>,
}

impl Reader<'_> {
    fn window(&self) -> Option<Window> {
        let (mut begin, finish) = shared(self.begin(), self.finish());
        if let Some(begin) = begin.as_mut().filter(|begin| begin.clock.is_none() && self.goes_on()) {
            begin.role = Role::Onwards;
        }
        let lengths = self.lengths();
        match self.repeat(begin.as_ref()) {
            Some((repeat, on)) => self.repeated(repeat, on, begin.as_ref(), finish.as_ref(), lengths),
            None => self.once(begin.as_ref(), finish.as_ref(), lengths),
        }
    }

    /// Whether an hour that begins no range and goes on to nowhere is over: "at 8pm tonight", said at 23:00.
    fn has_passed(&self) -> bool {
        let passed = |begin: &Moment| self.start_of(begin).is_some_and(|start| start <= *self.now);
        self.begin().is_some_and(|begin| begin.clock.is_some() && begin.role != Role::Onwards && passed(&begin))
    }

    /// Where the window begins: the first moment of a range, else the first that does not end it, filled with the day or
    /// hour said elsewhere.
    fn begin(&self) -> Option<Moment> {
        let begins = |moment: &Moment| !moment.role.ends() && moment.role != Role::Past && moment.end_of.is_none();
        let range =
            self.moments.windows(2).find(|pair| begins(&pair[0]) && matches!(pair[1].role, Role::To | Role::Through));
        let first = range.map(|pair| pair[0]).or_else(|| self.moments.iter().copied().find(begins))?;
        let rest: Vec<&Moment> =
            self.moments.iter().filter(|moment| begins(moment) && moment.start != first.start).collect();
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

    fn finish(&self) -> Option<Moment> {
        let ends = |moment: &&Moment| moment.role.ends() || (moment.end_of.is_some() && is_limit(self.text, moment));
        self.moments.iter().find(ends).copied()
    }

    /// Moments that neither begin nor end the window, and days that a repetition does not hold.
    fn spare(&self) -> Vec<String> {
        let (begin, finish) = (self.begin(), self.finish());
        let repeat = self.repeat(begin.as_ref());
        let other_day = |days: Days| match repeat {
            Some((_, Some(on))) => days.first.weekday() != on,
            Some((repeat, None)) => repeat != Repeat::Weekly,
            None => false,
        };
        let spare = |moment: &&Moment| {
            let ends = finish.is_some_and(|finish| finish.start == moment.start);
            moment.role != Role::Past
                && (!moment.is_held_by(begin.as_ref(), finish.as_ref())
                    || (!ends && moment.days.is_some_and(other_day)))
        };
        self.moments.iter().filter(spare).map(|moment| self.text.slice(moment.start, moment.end)).collect()
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

    /// How far off the window begins, and how long it lasts, where that is said as a length of time.
    fn lengths(&self) -> Lengths {
        let mut lengths = Lengths::default();
        for atom in self.atoms {
            let Kind::Length(span) = atom.kind else { continue };
            match length_role(self.text, atom) {
                Some(LengthRole::Off) => lengths.off = lengths.off.or(Some(span)),
                Some(LengthRole::For) => lengths.lasts = lengths.lasts.or(Some(span)),
                None => {}
            }
        }
        lengths
    }

    fn once(&self, begin: Option<&Moment>, finish: Option<&Moment>, lengths: Lengths) -> Option<Window> {
        let mut start = match (begin, lengths.off) {
            (Some(begin), _) => Some(self.start_of(begin)?),
            (None, Some(span)) => Some(self.now.checked_add(span).ok()?),
            (None, None) => None,
        };
        let mut end = match (finish, lengths.lasts, begin) {
            (Some(finish), ..) => Some(self.end_of(finish, begin, start.as_ref())?),
            (None, Some(span), _) => {
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
        if start.as_ref().zip(end.as_ref()).is_some_and(|(start, end)| end <= start) {
            return None;
        }
        let is_over = end.as_ref().is_some_and(|end| end <= self.now);
        Some(Window { start: start.filter(|start| is_over || start > self.now), end, repeat: None })
    }

    /// "... from then on": what begins has no end.
    fn goes_on(&self) -> bool {
        const WORDS: [&str; 17] = [
            "from then on",
            "from that point on",
            "from there on",
            "thereafter",
            "afterwards",
            "ever after",
            "from that moment",
            "and beyond",
            "permanently",
            "从那以后",
            "此后",
            "之后",
            "往后",
            "从此",
            "以后都",
            "以后就",
            "长期",
        ];
        let behind_a_day = |place: usize| self.moments.iter().any(|moment| moment.end == place);
        (0..self.text.len()).any(|place| !behind_a_day(place) && self.text.any_word(place, &WORDS).is_some())
    }

    fn zone(&self, moment: &Moment) -> TimeZone {
        moment.zone.map_or_else(|| self.now.time_zone().clone(), Offset::to_time_zone)
    }

    fn at(&self, date: Date, minutes: i32, moment: &Moment) -> Option<Zoned> {
        Some(self.there(date, minutes, moment)?.with_time_zone(self.now.time_zone().clone()))
    }

    /// The same, in the zone that was said.
    fn there(&self, date: Date, minutes: i32, moment: &Moment) -> Option<Zoned> {
        let civil: DateTime = date.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()?;
        civil.to_zoned(self.zone(moment)).ok()
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
        let days = begin.days.unwrap_or(Days { first: today, days: 1, named: Named::Whole });
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
        let after = start.unwrap_or(self.now);
        let date = self.end_date(finish, begin, start)?;
        let mut hours = end_minutes(finish, begin).into_iter();
        let Some(said) = hours.next() else {
            let days = finish.days?;
            let last = if finish.role == Role::Until { 0 } else { days.days };
            return self.at(date.checked_add(last.days()).ok()?, 0, finish);
        };
        let mut ends = std::iter::once(said).chain(hours).map_while(|minutes| self.at(date, minutes, finish));
        if let Some(end) = ends.find(|end| end > after) {
            return Some(end);
        }
        let end = self.at(date, plain_minutes(finish).unwrap_or(said), finish)?;
        if finish.days.is_none() { end.tomorrow().ok() } else { Some(end) }
    }

    /// The day on which the window ends: its own, else the one on which it was said to begin, else today.
    fn end_date(&self, finish: &Moment, begin: Option<&Moment>, start: Option<&Zoned>) -> Option<Date> {
        let begun = start.map(|start| start.with_time_zone(self.zone(finish)).date());
        if let Some(days) = finish.days {
            return begun.filter(|begun| days.first < *begun).map_or(Some(days.first), |begun| next_such(&days, begun));
        }
        let overnight = begin.and_then(start_minutes).is_some_and(|minutes| minutes >= 1_440);
        match begun {
            Some(begun) if overnight => begun.yesterday().ok(),
            Some(begun) => Some(begun),
            None => Some(self.now.with_time_zone(self.zone(finish)).date()),
        }
    }

    /// A window that comes back keeps the zone that its hours were said in: so it stays on its days and through changes of the clock.
    fn repeated(
        &self,
        repeat: Repeat,
        on: Option<Weekday>,
        begin: Option<&Moment>,
        finish: Option<&Moment>,
        lengths: Lengths,
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
        let start = self.there(first, minutes, &zone_of)?;
        let finish = finish.filter(|finish| {
            finish.end_of.is_none()
                && finish.days.is_none_or(|days| days.named == Named::Weekday && finish.clock.is_some())
        });
        let end = match (finish, lengths.lasts, hours) {
            (Some(finish), ..) => Some(self.end_of(finish, hours.as_ref(), Some(&start))?),
            (None, Some(span), _) => Some(start.checked_add(span).ok()?),
            (None, _, Some(hours)) if hours.clock.is_some() => None,
            (None, _, Some(hours)) => Some(self.at(first, i32::from(hours.part?.hours().1) * 60, &hours)?),
            (None, _, None) => {
                let days = if repeat == Repeat::Weekends { 2 } else { 1 };
                Some(self.at(first.checked_add(days.days()).ok()?, 0, &zone_of)?)
            }
        };
        let end = end.map(|end| end.with_time_zone(start.time_zone().clone()));
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
        let today = self.now.with_time_zone(self.zone(moment)).date();
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
    Moment { start: 0, end: 0, days: None, end_of: None, part: None, clock: None, zone: None, role: Role::Plain }
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

/// Minutes after midnight at which a moment may end the window that `begin` begins, the likeliest first: in the part of the
/// day in which it began, as written, twelve hours later. None where it has neither hour nor part.
fn end_minutes(finish: &Moment, begin: Option<&Moment>) -> Vec<i32> {
    let Some(clock) = finish.clock else {
        let ends =
            |part: Part| if finish.role == Role::Until || part == Part::Noon { part.hours().0 } else { part.hours().1 };
        let hours = finish.part.map(ends);
        return hours.map(|hour| i32::from(hour) * 60).into_iter().collect();
    };
    let shared = begin.and_then(|begin| begin.part).filter(|_| finish.days.is_none() && finish.part.is_none());
    let part = finish.part.or(shared.filter(|_| !clock.fixed));
    let mut minutes = vec![clock_minutes(clock, part, false)];
    if finish.part.is_none() {
        minutes.push(clock_minutes(clock, None, false));
    }
    if finish.part.is_none() && !clock.fixed && clock.hour <= 12 {
        minutes.push(clock_minutes(clock, None, false) + 720);
    }
    minutes
}

/// The hour as written.
fn plain_minutes(finish: &Moment) -> Option<i32> {
    finish.clock.map(|clock| clock_minutes(clock, finish.part, false))
}

/// "from 2 to 4 tomorrow afternoon": what is said once, behind the end, holds for the beginning too.
fn shared(begin: Option<Moment>, finish: Option<Moment>) -> (Option<Moment>, Option<Moment>) {
    let (Some(mut begin), Some(mut finish)) = (begin, finish) else { return (begin, finish) };
    begin.zone = begin.zone.or(finish.zone);
    finish.zone = finish.zone.or(begin.zone);
    let hours = begin.clock.zip(finish.clock).map(|(from, to)| {
        let to_hour = if to.fixed || to.hour > from.hour { to.hour } else { to.hour + 12 };
        from.hour < to_hour
    });
    if begin.days.is_none() && begin.part.is_none() && finish.role == Role::To && hours == Some(true) {
        begin = begin.filled_from(&Moment { clock: None, ..finish });
    }
    (Some(begin), Some(finish))
}

/// The next such day after another, where it was said by its weekday or day of the month alone.
fn next_such(days: &Days, after: Date) -> Option<Date> {
    match days.named {
        Named::Whole => Some(days.first),
        Named::Weekday => after.nth_weekday(1, days.first.weekday()).ok(),
        Named::DayOfMonth => (0..3).find_map(|months| {
            let month = after.first_of_month().checked_add(months.months()).ok()?;
            month.with().day(days.first.day()).build().ok().filter(|date| *date > after)
        }),
    }
}

/// An hour in a part of the day: "下午3点" is 15:00, "晚上12点" the midnight to come, "今晚1点" after it.
pub(super) fn clock_minutes(clock: Clock, part: Option<Part>, begins: bool) -> i32 {
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

/// The lengths of time in a sentence, by what they are to the window.
#[derive(Clone, Copy, Default)]
struct Lengths {
    off: Option<Span>,
    lasts: Option<Span>,
}
