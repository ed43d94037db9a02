//! From exact parts and scores to one reading: only combinations of fields that mean something can come out.

use super::{
    Kind, Reading, SURE, Unit,
    amount::{Amount, Counts, Sense, amounts},
    asked::Part,
    bound::bound,
    catalogue::{self, Known},
    docker, doubt,
    encoded::Classifier,
    fields::{Direction, Effect, Level, Topic},
    hint, inert, lexicon,
    model::{DIRECTIONS, EFFECTS, KINDS, LEVELS, Scores, TOPICS},
    names, orders,
    text::Text,
    time::{self, TimeReading},
    token::{Token, tokens},
    undo, veto,
};
use crate::Language;
use jiff::Zoned;

/// How much likelier a topic is that the sentence has a word for.
const MENTIONED: f32 = 4.0;
/// How much likelier a bound is that the words beside the amount say.
const SAID: f32 = 100.0;
/// The belief in a bound that is read against these words all the same: a person is asked.
const OVERRULED: f32 = 0.5;
/// How much likelier a direction is that all words point to.
const SIDED: f32 = 4.0;
/// So many bytes are no memory where no word says so.
const MUCH: f64 = 1e12;
/// An amount in a report is asked for unless it is this much likelier to be the state.
const NOT_ASKED: f32 = 0.25;
/// How likely doing nothing is against what the scores say, where a plain order stands in the sentence and nothing speaks of talk.
const PLAIN: f32 = 0.5;

pub(super) fn decode(
    classifier: &Classifier,
    text: &Text,
    now: &Zoned,
    catalogue: &[String],
    (language, acts): (Language, f32),
) -> Reading {
    if veto::is_abuse(text) {
        return Reading::nothing(language, "asks for what no instruction may do");
    }
    let mut seen = Seen::new(classifier, text, now, catalogue);
    let (kind, belief) = kind(&seen.scores, seen.inert, acts);
    let mut reading = Reading { kind, language, unread: Vec::new(), ..Reading::nothing(language, "") };
    reading.believe(belief, Part::Kind);
    if kind.acts() {
        names::insist_on_one_in_what_acts(&mut seen.named, &seen.tokens);
    }
    if kind != Kind::None {
        reading.workloads = seen.workloads();
    }
    match kind {
        Kind::Event => seen.event(&mut reading),
        Kind::Rule => seen.rule(&mut reading),
        Kind::Report => seen.report(&mut reading),
        Kind::Hold => seen.hold(&mut reading),
        Kind::Priority => seen.priority(&mut reading),
        Kind::Undo => reading.undoes = undo::named(text),
        Kind::Question | Kind::None => {}
    }
    if kind.acts() {
        seen.doubts(&mut reading);
    }
    reading.confidence = (reading.confidence * 100.0).round() / 100.0;
    reading
}

/// The likeliest kind with the belief in it, what does not act weighed; one that acts only where at least so much
/// of the belief says that it does.
fn kind(scores: &Scores, weight: f32, least: f32) -> (Kind, f32) {
    let weighed: Vec<f32> =
        KINDS.iter().zip(&scores.kind).map(|(kind, share)| share * if kind.acts() { 1.0 } else { weight }).collect();
    let total: f32 = weighed.iter().sum();
    let acting: f32 = KINDS.iter().zip(&weighed).filter(|(kind, _)| kind.acts()).map(|(_, share)| share / total).sum();
    let acts = acting >= least;
    let (kind, share) = best(&KINDS, &weighed, |kind| kind.acts() == acts);
    (kind, share * if acts { acting } else { 1.0 - acting })
}

/// The likeliest of the allowed classes, with its share of the belief in them.
fn best<T: Copy>(classes: &[T], shares: &[f32], allowed: impl Fn(T) -> bool) -> (T, f32) {
    let open = || classes.iter().zip(shares).filter(|(class, _)| allowed(**class));
    let total: f32 = open().map(|(_, share)| share).sum();
    let found = open().max_by(|a, b| a.1.total_cmp(b.1)).or_else(|| classes.iter().zip(shares).next());
    found.map_or((classes[0], 0.0), |(class, share)| (*class, share / total.max(1e-9)))
}

/// Shares with that of one class raised.
fn weighed<T: Copy + PartialEq>(classes: &[T], shares: &[f32], said: Option<T>, weight: f32) -> Vec<f32> {
    let one = |(class, share): (&T, &f32)| share * if said.as_ref() == Some(class) { weight } else { 1.0 };
    classes.iter().zip(shares).map(one).collect()
}

/// Everything that was seen in a sentence.
pub(super) struct Seen<'a> {
    pub(super) text: &'a Text,
    pub(super) amounts: Vec<Amount>,
    pub(super) time: TimeReading,
    pub(super) tokens: Vec<Token>,
    /// How likely each token is a name.
    pub(super) named: Vec<f32>,
    /// Words of the sentence that are also names of the catalogue.
    pub(super) twofold: Vec<String>,
    scores: Scores,
    pub(super) classes: Vec<&'static str>,
    /// How much likelier it is than the scores say that nothing is to change.
    inert: f32,
}

impl<'a> Seen<'a> {
    fn new(classifier: &Classifier, text: &'a Text, now: &Zoned, catalogue: &[String]) -> Self {
        let Known { places: known, twofold } = catalogue::known(text, now, catalogue);
        let free = |amount: &Amount| !overlaps(&known, amount.start, amount.end);
        let amounts: Vec<Amount> =
            amounts(text).into_iter().filter(free).map(|amount| docker::sized(text, amount)).collect();
        let mut taken = known.clone();
        taken.extend(amounts.iter().map(|amount| (amount.start, amount.end)));
        let time = time::read(text, now, &taken);
        let tokens = tokens(text, &amounts, &time.places, &known);
        let added = classifier.added(text, &tokens);
        let mut named = classifier.model.names(&tokens, &added);
        for (share, token) in named.iter_mut().zip(&tokens) {
            if known.contains(&(token.start, token.end)) {
                *share = 1.0;
            }
        }
        names::drop_strays(&mut named, &tokens);
        let inert = inert::weight(text, named.iter().any(|share| *share > 0.5));
        let plain = inert <= 1.0 && orders::is_plain(&with_stand_ins(&tokens, &named));
        let inert = if plain { PLAIN } else { inert };
        names::insist_on_one(&mut named, &tokens);
        let is_name: Vec<bool> = named.iter().map(|share| *share > 0.5).collect();
        let scores = classifier.model.scores(&tokens, &is_name, &added);
        let words: Vec<&str> =
            tokens.iter().zip(&is_name).filter(|(_, named)| !**named).map(|(token, _)| token.text.as_str()).collect();
        let classes = lexicon::classes(&words);
        Self { text, amounts, time, tokens, named, twofold, scores, classes, inert }
    }

    /// The words with stand-ins for names, amounts and times, one space around each.
    pub(super) fn words(&self) -> String {
        with_stand_ins(&self.tokens, &self.named)
    }

    /// Names in order of mention, each once.
    fn workloads(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (token, share) in self.tokens.iter().zip(&self.named) {
            let name = token.text.trim_end_matches(['.', ':']).to_owned();
            if *share > 0.5 && !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }

    fn event(&self, reading: &mut Reading) {
        self.window(reading);
        let amount =
            self.of_resource().or_else(|| self.relative()).or_else(|| self.of_demand()).or_else(|| self.bare_demand());
        let Some(amount) = amount else {
            self.topic(reading, |topic| topic.is_some());
            return;
        };
        self.put(reading, &amount, if is_relative(&amount) { Effect::Multiply } else { Effect::Add });
    }

    fn rule(&self, reading: &mut Reading) {
        self.window(reading);
        let amount = self
            .of_resource()
            .or_else(|| self.first(|amount| amount.counts == Counts::Percent))
            .or_else(|| self.of_demand())
            .or_else(|| self.share())
            .or_else(|| self.bare_number());
        let said = amount.and_then(|amount| bound(self.text, &amount));
        let shares = weighed(&EFFECTS, &self.scores.effect, said.is_some().then_some(said), SAID);
        let bounds = |effect| matches!(effect, Some(Effect::AtLeast | Effect::AtMost));
        let (effect, belief) = best(&EFFECTS, &shares, bounds);
        let is_overruled = said.is_some() && said != effect;
        reading.believe(if is_overruled { OVERRULED } else { belief }, Part::Bound);
        match amount {
            Some(amount) => self.put(reading, &amount, effect.unwrap_or(Effect::AtMost)),
            None => self.rule_without_amount(reading, effect),
        }
    }

    fn rule_without_amount(&self, reading: &mut Reading, effect: Option<Effect>) {
        reading.effect = effect;
        self.topic(reading, |topic| topic.is_some());
        reading.unread.push(Part::Amount.words(reading.language).to_owned());
        reading.confidence *= SURE / 2.0;
    }

    fn report(&self, reading: &mut Reading) {
        if self.time.says_end && self.time.over.is_empty() {
            reading.end = self.time.window.end.clone();
        }
        let asked = self.asked_for();
        let factor = asked.and_then(|amount| hint::factor_direction(&amount));
        let (said, weight) = factor.map_or((hint::direction(&self.classes), SIDED), |way| (Some(way), SAID));
        let shares = weighed(&DIRECTIONS, &self.scores.direction, said.is_some().then_some(said), weight);
        let (direction, belief) = best(&DIRECTIONS, &shares, |direction| direction.is_some());
        reading.direction = direction;
        reading.believe(belief, Part::Direction);
        let said = hint::severity(self.text);
        let shares =
            weighed(&LEVELS, &self.scores.level, said.map(|(level, _)| Some(level)), said.map_or(1.0, |s| s.1));
        let (level, belief) = best(&LEVELS, &shares, |level| {
            level != Some(Level::Normal) && (direction == Some(Direction::Up) || level.is_none())
        });
        reading.level = level;
        reading.believe(belief, Part::Urgency);
        match asked {
            Some(amount) => {
                self.put(reading, &amount, if is_relative(&amount) { Effect::Multiply } else { Effect::Add });
            }
            None => self.topic(reading, |topic| topic.is_some()),
        }
    }

    /// The amount that a report asks for; "at 95 % CPU" and "twice as slow" are none, they are the state.
    fn asked_for(&self) -> Option<Amount> {
        let asked = |amount: &Amount, effect: Effect| {
            let share = |wanted: Option<Effect>| {
                EFFECTS.iter().position(|known| *known == wanted).map_or(0.0, |at| self.scores.effect[at])
            };
            let least = match hint::is_asked(self.text, amount) {
                Some(true) => NOT_ASKED / 10.0,
                Some(false) => 1.0,
                None => NOT_ASKED,
            };
            share(Some(effect)) > least * share(None)
        };
        let of_resource = self.of_resource().filter(|amount| asked(amount, Effect::Add));
        of_resource.or_else(|| self.relative().filter(|amount| asked(amount, Effect::Multiply)))
    }

    fn hold(&self, reading: &mut Reading) {
        self.window(reading);
        self.topic(reading, |topic| topic.is_some_and(|topic| topic != Topic::Requests));
    }

    fn priority(&self, reading: &mut Reading) {
        self.window(reading);
        let (level, belief) = best(&LEVELS, &self.scores.level, |level| level.is_some());
        reading.level = level;
        reading.believe(belief, Part::Importance);
    }

    fn window(&self, reading: &mut Reading) {
        let window = &self.time.window;
        (reading.start, reading.end, reading.repeat) = (window.start.clone(), window.end.clone(), window.repeat);
    }

    fn topic(&self, reading: &mut Reading, allowed: impl Fn(Option<Topic>) -> bool) {
        let shares: Vec<f32> = TOPICS
            .iter()
            .zip(&self.scores.topic)
            .map(|(topic, share)| share * if self.mentioned(*topic) { MENTIONED } else { 1.0 })
            .collect();
        let (topic, belief) = best(&TOPICS, &shares, allowed);
        reading.resource = topic;
        reading.believe(belief, Part::Resource);
    }

    /// True when the sentence has a word for the topic.
    fn mentioned(&self, topic: Option<Topic>) -> bool {
        let class = match topic {
            Some(Topic::Cpu) => "cpu",
            Some(Topic::Memory) => "memory",
            Some(Topic::Storage) => "storage",
            Some(Topic::Network) => "network",
            Some(Topic::Replicas) => "replicas",
            Some(Topic::Requests) => "requests",
            Some(Topic::All) | None => return false,
        };
        self.classes.contains(&class)
    }

    fn first(&self, wanted: impl Fn(&Amount) -> bool) -> Option<Amount> {
        self.amounts.iter().find(|amount| wanted(amount)).copied()
    }
    fn of_resource(&self) -> Option<Amount> {
        self.first(|amount| {
            matches!(amount.counts, Counts::Cores | Counts::Bytes | Counts::BytesPerSecond | Counts::Replicas)
        })
    }
    fn relative(&self) -> Option<Amount> {
        self.first(is_relative)
    }
    /// "half of the cluster" as a percentage.
    fn share(&self) -> Option<Amount> {
        let part = self.first(|amount| amount.counts == Counts::Factor && amount.value <= 1.0)?;
        Some(Amount { value: part.value * 100.0, counts: Counts::Percent, ..part })
    }
    /// "QPS会增加 8000": the only number, of demand that the sentence has a word for.
    fn bare_demand(&self) -> Option<Amount> {
        let amount = self.only_number()?;
        self.mentioned(Some(Topic::Requests)).then_some(Amount { counts: Counts::Demand, ..amount })
    }
    /// "CPU上限 16", "副本数不能少于3个": the only number, of what the sentence has a word for.
    fn bare_number(&self) -> Option<Amount> {
        let amount = self.only_number()?;
        let counts = if self.mentioned(Some(Topic::Replicas)) { Counts::Replicas } else { Counts::Cores };
        let known = counts == Counts::Replicas || self.mentioned(Some(Topic::Cpu));
        known.then_some(Amount { counts, ..amount })
    }
    fn only_number(&self) -> Option<Amount> {
        let mut numbers = self.tokens.iter().filter(|token| token.text == "<number>");
        let (token, None) = (numbers.next()?, numbers.next()) else { return None };
        let value = self.text.slice(token.start, token.end).parse().ok()?;
        Some(Amount {
            start: token.start,
            end: token.end,
            value,
            counts: Counts::Demand,
            sense: Sense::To,
            letter: false,
        })
    }
    fn of_demand(&self) -> Option<Amount> {
        self.first(|amount| amount.counts == Counts::Demand)
    }

    /// Writes amount, unit, effect, and the topic that they leave open.
    fn put(&self, reading: &mut Reading, amount: &Amount, effect: Effect) {
        let words = self.text.slice(amount.start, amount.end);
        let bits = words.contains("bit") || words.contains("bps");
        let much = amount.counts == Counts::Bytes && amount.value >= MUCH && !self.mentioned(Some(Topic::Memory));
        self.topic(reading, |topic| {
            fits(topic, amount.counts, effect)
                && (!bits || topic == Some(Topic::Network))
                && (!much || topic != Some(Topic::Memory))
        });
        let (value, unit) = self.valued(amount, reading.resource, effect);
        (reading.effect, reading.amount, reading.unit) = (Some(effect), Some(value), unit);
    }

    pub(super) fn valued(&self, amount: &Amount, topic: Option<Topic>, effect: Effect) -> (f64, Option<Unit>) {
        match amount.counts {
            Counts::Cores => (amount.value, Some(Unit::Cores)),
            Counts::Replicas => (amount.value, Some(Unit::Replicas)),
            Counts::BytesPerSecond => (amount.value, Some(Unit::BytesPerSecond)),
            Counts::Bytes if topic == Some(Topic::Network) => {
                let bits = if amount.letter { 8.0 } else { 1.0 };
                (amount.value / bits, Some(Unit::BytesPerSecond))
            }
            Counts::Bytes if topic == Some(Topic::Storage) && self.speaks_of_speed() => {
                (amount.value, Some(Unit::BytesPerSecond))
            }
            Counts::Bytes => (amount.value, Some(Unit::Bytes)),
            Counts::Factor => (amount.value, Some(Unit::X)),
            Counts::Percent if effect == Effect::Multiply => (factor(amount), Some(Unit::X)),
            Counts::Percent => (amount.value, Some(Unit::Percent)),
            Counts::Demand => (amount.value, None),
        }
    }

    fn speaks_of_speed(&self) -> bool {
        let words = self.text.slice(0, self.text.len());
        [
            "限速",
            "每秒",
            "per second",
            "吞吐",
            "速率",
            "速度",
            "throughput",
            "iops",
            "io rate",
            "write rate",
            "read rate",
            "throttle",
        ]
        .iter()
        .any(|word| words.contains(word))
    }

    /// What the reading does not account for makes it doubtful, and so do words that may or may not be names.
    fn doubts(&self, reading: &mut Reading) {
        for doubt in doubt::doubts(self, reading) {
            reading.unread.push(doubt.words);
            reading.confidence *= doubt.factor;
        }
        for (share, token) in self.named.iter().zip(&self.tokens) {
            reading.believe_word(share.max(1.0 - share), &self.text.slice(token.start, token.end));
        }
    }
}

fn with_stand_ins(tokens: &[Token], named: &[f32]) -> String {
    let words =
        tokens.iter().zip(named).map(|(token, share)| if *share > 0.5 { "<name>" } else { token.text.as_str() });
    lexicon::joined(&words.collect::<Vec<_>>())
}

fn overlaps(places: &[(usize, usize)], start: usize, end: usize) -> bool {
    places.iter().any(|(from, to)| start < *to && *from < end)
}

fn is_relative(amount: &Amount) -> bool {
    matches!(amount.counts, Counts::Factor | Counts::Percent)
}

/// Percent as a factor against usual.
fn factor(amount: &Amount) -> f64 {
    let share = amount.value / 100.0;
    let factor = match amount.sense {
        Sense::More => 1.0 + share,
        Sense::Less => 1.0 - share,
        Sense::To => share,
    };
    (factor.max(0.0) * 1e9).round() / 1e9
}

/// Which topics an amount can be of.
fn fits(topic: Option<Topic>, counts: Counts, effect: Effect) -> bool {
    let Some(topic) = topic else { return false };
    match counts {
        Counts::Cores => topic == Topic::Cpu,
        Counts::Bytes => matches!(topic, Topic::Memory | Topic::Storage | Topic::Network),
        Counts::BytesPerSecond => matches!(topic, Topic::Storage | Topic::Network),
        Counts::Replicas => topic == Topic::Replicas,
        Counts::Demand => topic == Topic::Requests,
        Counts::Percent if effect != Effect::Multiply => topic != Topic::Requests && topic != Topic::Replicas,
        Counts::Factor | Counts::Percent => true,
    }
}
