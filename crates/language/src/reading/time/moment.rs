//! Atoms joined to moments ("Thursday" "at" "22:00"), each with the word that says what it is to the window.

use super::atom::{Atom, Clock, Days, Kind, Part};
use crate::reading::text::Text;
use jiff::{civil::Date, tz::Offset};

/// What a moment is to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing said: the day, part or hour itself.
    Plain,
    /// "from", "starting": the window begins there.
    From,
    /// "from D on", "by": begins there and has no end.
    Onwards,
    /// "after D".
    After,
    /// "to", "-": ends there, a last day included.
    To,
    /// "until", "before": ends there, a day not included.
    Until,
    /// "through": ends there, the day included.
    Through,
    /// "开始": a day goes on from there, an hour only begins.
    Begins,
    /// "since": over.
    Past,
}

impl Role {
    pub(super) const fn ends(self) -> bool {
        matches!(self, Self::To | Self::Until | Self::Through)
    }
}

/// A day, a part, an hour, or what is said of them together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) days: Option<Days>,
    pub(super) end_of: Option<Date>,
    pub(super) part: Option<Part>,
    pub(super) clock: Option<Clock>,
    /// The zone of its hour, where one was said.
    pub(super) zone: Option<Offset>,
    pub(super) role: Role,
}

impl Moment {
    fn empty(start: usize) -> Self {
        Self { start, end: start, days: None, end_of: None, part: None, clock: None, zone: None, role: Role::Plain }
    }

    /// Takes an atom where its place is free.
    fn take(&mut self, atom: &Atom) -> bool {
        let free = match atom.kind {
            Kind::Days(days) if self.days.is_none() && self.end_of.is_none() => {
                self.days = Some(days);
                true
            }
            Kind::EndOf(date) if self.days.is_none() && self.clock.is_none() => {
                self.end_of = Some(date);
                true
            }
            Kind::Part(part) if self.part.is_none() => {
                self.part = Some(part);
                true
            }
            Kind::Clock(clock) if self.clock.is_none() => {
                self.clock = Some(clock);
                true
            }
            Kind::Zone(zone) if self.zone.is_none() && (self.clock.is_some() || self.part.is_none()) => {
                self.zone = Some(zone);
                true
            }
            _ => false,
        };
        if free {
            self.end = self.end.max(atom.end);
        }
        free
    }

    fn is_nothing(&self) -> bool {
        self.days.is_none() && self.end_of.is_none() && self.part.is_none() && self.clock.is_none()
    }

    /// True where all that it says is in what begins or what ends a window.
    pub(super) fn is_held_by(&self, begin: Option<&Self>, finish: Option<&Self>) -> bool {
        let ends = [begin, finish];
        let held = |same: &dyn Fn(&Self) -> bool| ends.iter().flatten().any(|end| same(end));
        (self.days.is_none() || held(&|end| end.days == self.days))
            && (self.clock.is_none() || held(&|end| end.clock == self.clock))
            && (self.end_of.is_none() || held(&|end| end.end_of == self.end_of))
            && (self.part.is_none() || held(&|end| end.part == self.part))
    }

    /// Fills what is missing from another moment.
    pub(super) fn filled_from(mut self, other: &Self) -> Self {
        self.days = self.days.or(other.days);
        self.part = self.part.or(other.part);
        self.clock = self.clock.or(other.clock);
        self.zone = self.zone.or(other.zone);
        self
    }
}

/// The moments of a sentence, in order, with their roles.
pub(super) fn moments(text: &Text, atoms: &[Atom]) -> Vec<Moment> {
    let mut found: Vec<Moment> = Vec::new();
    let mut current: Option<Moment> = None;
    for atom in atoms.iter().filter(|atom| is_moment(&atom.kind)) {
        if let Some(open) = &mut current {
            if is_filler(&text.slice(open.end, atom.start)) && open.take(atom) {
                continue;
            }
            found.push(*open);
        }
        let mut moment = Moment::empty(atom.start);
        moment.take(atom);
        current = Some(moment);
    }
    found.extend(current);
    found.retain(|moment| !moment.is_nothing());
    assign_roles(text, &mut found);
    let over: Vec<bool> = (0..found.len()).map(|index| is_in_the_past(text, atoms, &found, index)).collect();
    for (moment, _) in found.iter_mut().zip(over).filter(|(_, over)| *over) {
        moment.role = Role::Past;
    }
    found
}

/// "昨晚8点到10点", "8 to 10pm yesterday": both hours of a range are as past as the one that the day was said of.
fn is_in_the_past(text: &Text, atoms: &[Atom], moments: &[Moment], index: usize) -> bool {
    let over = |moment: &Moment| is_over(text, atoms, moment);
    let range = |pair: &[Moment]| joined(text, &pair[0], &pair[1]).is_some_and(Role::ends);
    let undated = moments[index].days.is_none() && moments[index].end_of.is_none();
    let begun = index > 0 && range(&moments[index - 1..=index]) && over(&moments[index - 1]);
    let ended = moments.get(index..index + 2).is_some_and(|pair| range(pair) && over(&pair[1]));
    over(&moments[index]) || (undated && (begun || ended))
}

/// "yesterday at 3pm", "昨晚8点": the hour is as past as the day.
fn is_over(text: &Text, atoms: &[Atom], moment: &Moment) -> bool {
    atoms.iter().filter(|atom| matches!(atom.kind, Kind::Past)).any(|past| {
        (past.end <= moment.start && is_filler(&text.slice(past.end, moment.start)))
            || (moment.end <= past.start && is_filler(&text.slice(moment.end, past.start)))
    })
}

fn is_moment(kind: &Kind) -> bool {
    matches!(kind, Kind::Days(_) | Kind::EndOf(_) | Kind::Part(_) | Kind::Clock(_) | Kind::Zone(_))
}

/// Words that may stand between the parts of one moment.
fn is_filler(gap: &str) -> bool {
    const WORDS: [&str; 25] = [
        "at",
        "on",
        "in",
        "the",
        "of",
        "from",
        "starting",
        "beginning",
        "between",
        "about",
        "around",
        "roughly",
        "approximately",
        "sharp",
        "exactly",
        "@",
        ",",
        "(",
        "的",
        "从",
        "大约",
        "约",
        "大概",
        "就",
        "local",
    ];
    let mut rest = gap.trim();
    while !rest.is_empty() {
        let Some(shorter) = WORDS.iter().find_map(|word| strip_word(rest, word)) else { return false };
        rest = shorter.trim_start();
    }
    true
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    let whole =
        !word.ends_with(|c: char| c.is_ascii_alphabetic()) || !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    whole.then_some(rest)
}

fn assign_roles(text: &Text, moments: &mut [Moment]) {
    for index in 0..moments.len() {
        let before = index.checked_sub(1).map(|index| moments[index]);
        let role = role(text, before.as_ref(), &moments[index]);
        moments[index].role = role;
        // "周三22点到次日6点": the day after the beginning, not after today.
        if role == Role::To && moments[index].clock.is_some() && text.literal(moments[index].start, "次日").is_some()
        {
            moments[index].days = None;
        }
    }
}

fn role(text: &Text, before: Option<&Moment>, moment: &Moment) -> Role {
    if let Some(role) = before.and_then(|before| joined(text, before, moment)) {
        return role;
    }
    if let Some(role) = behind(text, moment.end) {
        let day = role == Role::Begins && moment.clock.is_none();
        return match role {
            Role::Begins => {
                if day {
                    Role::Onwards
                } else {
                    Role::Plain
                }
            }
            _ => role,
        };
    }
    let from = before.map_or(0, |before| before.end);
    let words = text.slice(from.max(moment.start.saturating_sub(48)), moment.start);
    in_front(&words)
}

/// The role given by what joins two moments: "to", "-", "到", "until".
fn joined(text: &Text, before: &Moment, moment: &Moment) -> Option<Role> {
    let gap = text.slice(before.end, moment.start);
    let mut gap = gap.trim().trim_start_matches(['整', '起', ')', ',']).trim();
    for filler in [
        "about",
        "around",
        "the following",
        "the next",
        "the",
        "次日",
        "第二天",
        "翌日",
        "隔天",
        "大约",
        "约",
        "next",
        "on",
        "at",
    ] {
        gap = gap.strip_suffix(filler).map_or(gap, str::trim_end);
    }
    match gap {
        "to" | "-" | "--" | "~" | "到" | "至" | "up to" | "开始到" | "开始至" | "一直到" | "持续到" | "(cst) to" => {
            Some(Role::To)
        }
        "until" | "till" | "til" | "and until" | "直到" | "and ends" | "and ending" | "ending" | "and runs until"
        | "and goes until" => Some(Role::Until),
        "through" | "thru" | "through to" | "up to and including" => Some(Role::Through),
        "and" if text.slice(before.start.saturating_sub(12), before.end).contains("between") => Some(Role::To),
        "and" | "&" | "和" | "" | "," | "与" | "及" => next_to_each_other(before, moment).then_some(Role::Through),
        _ => gap
            .strip_prefix(['到', '至'])
            .filter(|rest| rest.chars().count() <= 3 && !rest.contains([',', '.']))
            .map(|_| Role::To),
    }
}

/// "Saturday and Sunday" are two days in a row.
fn next_to_each_other(before: &Moment, moment: &Moment) -> bool {
    let alone = |moment: &Moment| moment.clock.is_none() && moment.part.is_none();
    let days = before.days.zip(moment.days).filter(|_| alone(before) && alone(moment));
    days.is_some_and(|(first, second)| first.first.tomorrow().is_ok_and(|tomorrow| tomorrow == second.first))
}

/// The role given by what follows: "周四之前", "12点以后", "Monday onwards".
fn behind(text: &Text, end: usize) -> Option<Role> {
    let next = text.skip_spaces(end);
    const WORDS: [(&str, Role); 31] = [
        ("以来", Role::Past),
        ("之前", Role::Until),
        ("以前", Role::Until),
        ("前", Role::Until),
        ("为止", Role::Until),
        ("截止", Role::Until),
        ("结束前", Role::Until),
        ("止", Role::Until),
        ("之后", Role::After),
        ("以后", Role::After),
        ("过后", Role::After),
        ("后", Role::After),
        ("起至", Role::From),
        ("起到", Role::From),
        ("起", Role::Onwards),
        ("开始到", Role::From),
        ("开始至", Role::From),
        ("开始持续", Role::From),
        ("开始", Role::Begins),
        ("onwards", Role::Onwards),
        ("onward", Role::Onwards),
        ("and onwards", Role::Onwards),
        ("and after", Role::Onwards),
        ("and later", Role::Onwards),
        ("on,", Role::Onwards),
        ("and beyond", Role::Onwards),
        ("or later", Role::Onwards),
        ("forward", Role::Onwards),
        ("at the earliest", Role::Onwards),
        ("at the latest", Role::Until),
        ("latest", Role::Until),
    ];
    let (word, role, after) = WORDS.iter().find_map(|(word, role)| {
        Some((*word, *role, text.word(next, word).or_else(|| text.literal(next, word).filter(|_| !word.is_ascii()))?))
    })?;
    // "后" and "前" within other words, and "起" before a length ("起两小时").
    let other = matches!(
        (word, text.at(after)),
        ("前", '端' | '台' | '往' | '置') | ("后", '端' | '台' | '续' | '天') | ("起", '来' | '码' | '量')
    );
    (!other).then_some(role)
}

/// The role given by the words in front, the nearest one first.
fn in_front(words: &str) -> Role {
    let words = words.trim_end();
    for (lead, role) in [
        ("now and", Role::Until),
        ("now to", Role::Until),
        ("now until", Role::Until),
        ("now till", Role::Until),
        ("now through", Role::Through),
        ("现在到", Role::Until),
        ("现在至", Role::Until),
        ("即日起至", Role::Through),
        ("即日起到", Role::Through),
        ("not after", Role::Until),
        ("not before", Role::From),
        ("no later than", Role::Until),
        ("through", Role::Through),
        ("thru", Role::Through),
        ("since", Role::Past),
        ("ever since", Role::Past),
        ("自从", Role::Past),
        ("after", Role::After),
        ("by", Role::Onwards),
        ("as of", Role::Onwards),
        ("effective", Role::Onwards),
        ("from", Role::From),
        ("starting", Role::From),
        ("beginning", Role::From),
        ("从", Role::From),
        ("自", Role::From),
        ("starting on", Role::From),
        ("starting at", Role::From),
        ("starting from", Role::From),
        ("截止到", Role::Through),
        ("截止", Role::Through),
        ("截至", Role::Through),
    ] {
        if ends_with_word(words, lead) {
            return role;
        }
    }
    until_clause(words).unwrap_or(Role::Plain)
}

fn ends_with_word(words: &str, word: &str) -> bool {
    let mut words = words;
    for filler in ["about", "around", "the", "on", "at", "roughly"] {
        words = words.strip_suffix(filler).filter(|rest| rest.ends_with(' ')).map_or(words, str::trim_end);
    }
    words
        .strip_suffix(word)
        .is_some_and(|rest| !word.is_ascii() || !rest.ends_with(|c: char| c.is_ascii_alphanumeric()))
}

/// "until the chiller is repaired on Thursday": the word may stand further in front, within the clause.
fn until_clause(words: &str) -> Option<Role> {
    let clause = words.rsplit([',', '.', ';', '!', '?', ':']).next()?;
    [
        "until",
        "till",
        "til",
        "before",
        "prior to",
        "ahead of",
        "up to",
        "up until",
        "ending",
        "直到",
        "直至",
        "持续到",
        "延续到",
        "一直到",
        "到",
        "至",
        "不晚于",
        "赶在",
    ]
    .iter()
    .find_map(|word| {
        let place = clause.rfind(word)?;
        let whole = !word.is_ascii() || {
            let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric());
            edge(clause[..place].chars().next_back()) && edge(clause[place + word.len()..].chars().next())
        };
        let near = word.is_ascii() || place + word.len() == clause.len() || word.chars().count() > 1;
        let direct = !matches!(*word, "before" | "ahead of" | "up to" | "ending")
            || clause[place + word.len()..].trim().len() <= 12;
        (whole && near && direct).then_some(Role::Until)
    })
}
