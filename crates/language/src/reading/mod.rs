//! Sentences to typed readings. What is exact is read by exact code (`amount`, `time`); what is not (kind, topic,
//! direction, which words are names) by a small embedded classifier (`model`). No number and no name that is not in the
//! sentence can come out; what is not sure is asked back and changes nothing.

mod amount;
#[cfg(test)]
mod amount_tests;
mod asked;
mod bound;
#[cfg(test)]
mod bound_tests;
mod catalogue;
mod contrary;
mod decode;
mod docker;
mod doubt;
mod encoded;
mod feature;
pub mod fields;
mod hint;
mod inert;
pub mod learn;
mod lexicon;
mod model;
mod mood;
mod names;
mod negating;
mod negation;
mod number;
mod orders;
mod part;
pub mod question;
mod sense;
pub mod signal;
mod talk;
mod text;
mod time;
mod token;
mod undo;
mod unit;
mod veto;

pub use encoded::Heads;
pub use fields::{Direction, Effect, Kind, Labels, Level, Repeat, Topic, Unit};
pub use model::{Model, ModelError};

use crate::Language;
use apportion_core::{
    Time,
    instruction::{Instruction, InstructionKind},
};
use apportion_model::encoder::SentenceEncoder;
use asked::Part;
use encoded::Classifier;
use jiff::{Zoned, tz::TimeZone};
use serde::{Serialize, Serializer};
use std::sync::Arc;
use text::Text;
pub(crate) use text::{is_deceptive, narrow};

/// Readings surer than this are taken without asking back. Chosen on folds of the corpus; `docs/language.md`.
pub const SURE: f32 = 0.92;
/// The same where the encoder and the embedded reader agree.
const SURE_TOGETHER: f32 = 0.85;

/// A sentence is taken to act only where this much of the belief says so.
const ACTS: f32 = 0.75;
/// The same of the embedded reader beside an encoder, whose own belief has to be that strong.
const ACTS_BESIDE: f32 = 0.5;

static WEIGHTS: &[u8] = include_bytes!("../../weights/reader.bin");
static HEADS: &[u8] = include_bytes!("../../weights/heads.bin");

/// What a sentence was read as. In JSON the fields up to `level` are the interface that scripts rely on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// What it is.
    pub kind: Kind,
    /// Names and wildcards as they stand in the sentence, lower case, in order; empty for all.
    pub workloads: Vec<String>,
    /// What it is about.
    pub resource: Option<Topic>,
    /// How the amount is meant.
    pub effect: Option<Effect>,
    /// In base units (cores, bytes, bytes per second), a factor, a percentage or a count.
    pub amount: Option<f64>,
    /// What the amount counts; none for demand such as requests per second.
    pub unit: Option<Unit>,
    /// Which way a report asks to go.
    pub direction: Option<Direction>,
    /// From when; none is now.
    #[serde(serialize_with = "as_rfc3339")]
    pub start: Option<Zoned>,
    /// Until when; none is until revoked.
    #[serde(serialize_with = "as_rfc3339")]
    pub end: Option<Zoned>,
    /// Whether the window repeats.
    pub repeat: Option<Repeat>,
    /// How important, or how bad.
    pub level: Option<Level>,
    /// How sure the reading is, 0..1.
    pub confidence: f32,
    /// False where a person has to be asked first.
    pub sure: bool,
    /// What could not be read, in the sentence's words or as a reason.
    pub unread: Vec<String>,
    /// What was read but not for certain, where that is why the reading is not sure: in the sentence's words, or as a part of the reading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubted: Vec<String>,
    /// The language it was written in.
    pub language: Language,
    /// Which kind an undo takes back, where the sentence names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<InstructionKind>,
}

/// Reads sentences with the embedded weights, and with a sentence encoder where one is given.
#[derive(Clone, Debug)]
pub struct Reader {
    embedded: Classifier,
    encoded: Option<Classifier>,
}

impl Reader {
    /// The reader with the weights of this binary.
    ///
    /// # Errors
    /// When they are damaged, which the tests rule out.
    pub fn embedded() -> Result<Self, ModelError> {
        Model::from_file(WEIGHTS).map(Self::with)
    }

    /// A reader with other weights.
    #[must_use]
    pub const fn with(model: Model) -> Self {
        Self { embedded: Classifier::embedded(model), encoded: None }
    }

    /// The same with an encoder beside it, whose heads are of this binary.
    ///
    /// # Errors
    /// When the heads are not for this encoder.
    pub fn with_encoder(self, encoder: Arc<SentenceEncoder>) -> Result<Self, ModelError> {
        let heads = Heads::from_file(HEADS)?;
        self.with_heads(heads, encoder)
    }

    /// The same with an encoder and other heads.
    ///
    /// # Errors
    /// When the heads are not for this encoder.
    pub fn with_heads(self, heads: Heads, encoder: Arc<SentenceEncoder>) -> Result<Self, ModelError> {
        Ok(Self { encoded: Some(Classifier::encoded(heads, encoder)?), ..self })
    }

    /// Reads one sentence at `now`, whose zone is the operator's. `catalogue` holds the workloads that are known; it may be
    /// empty. A sentence that is no instruction, or none that can be read, is [`Kind::None`] with the reason in `unread`.
    #[must_use]
    pub fn interpret(&self, sentence: &str, now: &Zoned, catalogue: &[String]) -> Reading {
        if let Some(reason) = veto::unreadable(sentence) {
            return Reading::nothing(language(sentence), reason);
        }
        let text = Text::new(sentence);
        let lower: Vec<String> = catalogue.iter().map(|name| name.to_lowercase()).collect();
        let read = |classifier, acts, least| {
            let reading = decode::decode(classifier, &text, now, &lower, (language(sentence), acts));
            let sure = reading.confidence >= least;
            Reading { sure, doubted: if sure { Vec::new() } else { reading.doubted }, ..reading }
        };
        match &self.encoded {
            Some(encoded) => agreed(read(encoded, ACTS, SURE_TOGETHER), read(&self.embedded, ACTS_BESIDE, SURE)),
            None => read(&self.embedded, ACTS, SURE),
        }
    }

    /// The same as one line of JSON.
    #[must_use]
    pub fn interpret_line(&self, line: &str, now: &Zoned, catalogue: &[String]) -> String {
        serde_json::to_string(&self.interpret(line, now, catalogue))
            .unwrap_or_else(|_| "{\"kind\":\"none\"}".to_owned())
    }
}

impl Reading {
    fn nothing(language: Language, reason: &str) -> Self {
        Self {
            kind: Kind::None,
            workloads: Vec::new(),
            resource: None,
            effect: None,
            amount: None,
            unit: None,
            direction: None,
            start: None,
            end: None,
            repeat: None,
            level: None,
            confidence: 1.0,
            sure: true,
            unread: vec![reason.to_owned()],
            doubted: Vec::new(),
            language,
            undoes: None,
        }
    }

    /// The instruction to record, where this is one and sure enough to act on once confirmed.
    #[must_use]
    pub fn instruction(&self, sentence: &str) -> Option<Instruction> {
        self.typed(sentence).filter(|_| self.sure)
    }

    /// The instruction that is likely meant, where all of the sentence was read but not for certain: for a person who is shown it and says
    /// that this is what they meant, and for nobody else.
    #[must_use]
    pub fn guess(&self, sentence: &str) -> Option<Instruction> {
        self.typed(sentence).filter(|_| !self.sure && self.unread.is_empty())
    }

    fn typed(&self, sentence: &str) -> Option<Instruction> {
        let time = |at: &Option<Zoned>| at.as_ref().map(|at| Time(at.timestamp().as_millisecond()));
        Some(Instruction {
            kind: self.acting_kind()?,
            workloads: self.workloads.clone(),
            resource: self.resource,
            effect: self.effect,
            amount: self.amount,
            unit: self.unit,
            direction: self.direction,
            level: self.level,
            start: time(&self.start),
            end: time(&self.end),
            repeat: self.repeat,
            undoes: self.undoes,
            zone: self.start.as_ref().map(zone_name),
            text: sentence.to_owned(),
        })
    }

    /// The reading of an instruction that was accepted: to tell it back, its times in `zone`.
    #[must_use]
    pub fn of(instruction: &Instruction, zone: &TimeZone, language: Language) -> Self {
        let time = |at: Option<Time>| {
            let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
            at.map(|at| at.to_zoned(zone.clone()))
        };
        Self {
            kind: kind(instruction.kind),
            workloads: instruction.workloads.clone(),
            resource: instruction.resource.or((instruction.kind == InstructionKind::Hold).then_some(Topic::All)),
            effect: instruction.effect,
            amount: instruction.amount,
            unit: instruction.unit,
            direction: instruction.direction,
            start: time(instruction.start),
            end: time(instruction.end),
            repeat: instruction.repeat,
            level: instruction.level,
            undoes: instruction.undoes,
            unread: Vec::new(),
            ..Self::nothing(language, "")
        }
    }

    const fn acting_kind(&self) -> Option<InstructionKind> {
        match self.kind {
            Kind::Event => Some(InstructionKind::Event),
            Kind::Rule => Some(InstructionKind::Rule),
            Kind::Hold => Some(InstructionKind::Hold),
            Kind::Priority => Some(InstructionKind::Priority),
            Kind::Report => Some(InstructionKind::Report),
            Kind::Undo => Some(InstructionKind::Undo),
            Kind::Question | Kind::None => None,
        }
    }
}

/// The encoder's reading, held against that of the embedded reader: it acts only where both say that the sentence does, and
/// where they differ otherwise, a person is asked about it.
fn agreed(encoded: Reading, embedded: Reading) -> Reading {
    let differences = differences(&encoded, &embedded);
    let mut reading =
        if embedded.kind.acts() { encoded } else { Reading { confidence: encoded.confidence, ..embedded } };
    reading.sure &= differences.is_empty();
    reading.unread.extend(differences.into_iter().map(str::to_owned));
    reading
}

/// What two readings differ in, in the sentence's language.
fn differences(one: &Reading, other: &Reading) -> Vec<&'static str> {
    let named = |same: bool, part: Part| (!same).then_some(part.words(one.language));
    if one.kind != other.kind {
        return vec![Part::Kind.words(one.language)];
    }
    let amount = |reading: &Reading| (reading.effect, reading.amount, reading.unit);
    let found = [
        named(one.workloads == other.workloads, Part::Workload),
        named(one.resource == other.resource, Part::Resource),
        named(amount(one) == amount(other), Part::Amount),
        named(one.direction == other.direction, Part::Direction),
        named(one.level == other.level, Part::Urgency),
    ];
    found.into_iter().flatten().collect()
}

const fn kind(of: InstructionKind) -> Kind {
    match of {
        InstructionKind::Event => Kind::Event,
        InstructionKind::Rule => Kind::Rule,
        InstructionKind::Hold => Kind::Hold,
        InstructionKind::Priority => Kind::Priority,
        InstructionKind::Report => Kind::Report,
        InstructionKind::Undo => Kind::Undo,
    }
}

impl Kind {
    /// True for what may change something.
    #[must_use]
    pub const fn acts(self) -> bool {
        !matches!(self, Self::Question | Self::None)
    }
}

/// IANA's name of a time's zone, or its offset.
#[must_use]
pub fn zone_name(of: &Zoned) -> String {
    of.time_zone().iana_name().map_or_else(|| of.strftime("%:z").to_string(), str::to_owned)
}

fn language(sentence: &str) -> Language {
    if sentence.chars().take(text::MOST_CHARS).any(text::is_han) { Language::Zh } else { Language::En }
}

/// Seconds and an offset; the zone's name is left out, as other programs cannot read it.
fn as_rfc3339<S: Serializer>(time: &Option<Zoned>, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = time.as_ref().map(|time| {
        let utc = *time.time_zone() == TimeZone::UTC;
        time.strftime(if utc { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" }).to_string()
    });
    shown.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_but_not_for_certain_is_a_guess_and_no_instruction() {
        let reading = |kind, sure, unread: &[&str]| {
            let unread = unread.iter().map(|words| (*words).to_owned()).collect();
            let reading = Reading { kind, sure, unread, ..Reading::nothing(Language::En, "") };
            (reading.instruction("x").is_some(), reading.guess("x").is_some())
        };
        assert_eq!(reading(Kind::Rule, true, &[]), (true, false));
        assert_eq!(reading(Kind::Rule, false, &[]), (false, true));
        assert_eq!(reading(Kind::Rule, false, &["how much"]), (false, false));
        assert_eq!(reading(Kind::Question, false, &[]), (false, false));
        assert_eq!(reading(Kind::None, false, &[]), (false, false));
    }

    #[test]
    fn little_belief_in_a_part_names_it() {
        let mut reading = Reading { confidence: 1.0, unread: Vec::new(), ..Reading::nothing(Language::En, "") };
        reading.believe(0.99, Part::Kind);
        reading.believe(0.8, Part::Resource);
        reading.believe_word(0.6, "cache");
        assert_eq!(reading.doubted, ["which resource", "“cache”"]);
        assert!((reading.confidence - 0.99 * 0.8 * 0.6).abs() < 1e-6);
    }

    #[test]
    fn two_readers_act_together_or_not_at_all() {
        let reading = |kind, amount| Reading { kind, amount, unread: Vec::new(), ..Reading::nothing(Language::En, "") };
        let check = |encoded: Reading, embedded: Reading, kind, sure, unread: &[&str]| {
            let both = agreed(encoded, embedded);
            assert_eq!((both.kind, both.sure), (kind, sure));
            assert_eq!(both.unread, unread);
        };
        let (rule, event) = (|| reading(Kind::Rule, Some(2.0)), || reading(Kind::Event, Some(2.0)));
        check(rule(), rule(), Kind::Rule, true, &[]);
        check(rule(), event(), Kind::Rule, false, &["what it asks for"]);
        check(rule(), reading(Kind::Question, None), Kind::Question, false, &["what it asks for"]);
        check(reading(Kind::None, None), rule(), Kind::None, false, &["what it asks for"]);
        check(rule(), reading(Kind::Rule, Some(3.0)), Kind::Rule, false, &["how much"]);
    }
}
