//! The embedded classifier: softmax regression over hashed n-grams for a sentence's labels, logistic regression for which
//! words are names. Eight-bit weights, a megabyte in the binary, no download.

use super::{
    encoded::Added,
    feature::{self, Known, NAME_BUCKETS, SENTENCE_BUCKETS},
    fields::{Direction, Effect, Kind, Labels, Level, Topic},
    text::Text,
    token::{Token, TokenKind},
};
use thiserror::Error;

pub(crate) const KINDS: [Kind; 8] =
    [Kind::Event, Kind::Rule, Kind::Hold, Kind::Priority, Kind::Report, Kind::Undo, Kind::Question, Kind::None];
pub(crate) const TOPICS: [Option<Topic>; 8] = [
    None,
    Some(Topic::All),
    Some(Topic::Cpu),
    Some(Topic::Memory),
    Some(Topic::Storage),
    Some(Topic::Network),
    Some(Topic::Requests),
    Some(Topic::Replicas),
];
pub(crate) const EFFECTS: [Option<Effect>; 5] =
    [None, Some(Effect::Multiply), Some(Effect::Add), Some(Effect::AtLeast), Some(Effect::AtMost)];
pub(crate) const DIRECTIONS: [Option<Direction>; 3] = [None, Some(Direction::Up), Some(Direction::Down)];
pub(crate) const LEVELS: [Option<Level>; 5] =
    [None, Some(Level::Critical), Some(Level::High), Some(Level::Normal), Some(Level::Low)];

/// Heads: kind, topic, effect, direction, level.
pub(crate) const HEADS: usize = 5;
/// Classes of each head.
pub(crate) const SIZES: [usize; HEADS] = [KINDS.len(), TOPICS.len(), EFFECTS.len(), DIRECTIONS.len(), LEVELS.len()];
/// Classes of all heads.
pub(crate) const OUTPUTS: usize = 29;

const MAGIC: &[u8; 8] = b"APLANG01";

/// Weights that cannot be read.
#[derive(Debug, Error)]
pub enum ModelError {
    /// Not such a file, or of another version.
    #[error("not weights of the sentence classifier (version 1): train them anew with examples/train.rs")]
    Magic,
    /// Shorter or longer than its own header says.
    #[error("weights of the sentence classifier are {found} bytes long instead of {expected}: the file is damaged")]
    Length {
        /// As found.
        found: usize,
        /// As it should be.
        expected: usize,
    },
}

/// The fitted classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    sentence: Vec<i8>,
    sentence_scale: f32,
    name: Vec<i8>,
    name_scale: f32,
    /// Hashes of common words, ascending.
    common: Vec<u32>,
    /// Hashes of names that workloads often have, ascending.
    typical: Vec<u32>,
}

/// Probabilities of each head's classes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scores {
    pub(crate) kind: Vec<f32>,
    pub(crate) topic: Vec<f32>,
    pub(crate) effect: Vec<f32>,
    pub(crate) direction: Vec<f32>,
    pub(crate) level: Vec<f32>,
}

impl Model {
    /// From trained weights, rounded to eight bits.
    pub(crate) fn quantise(sentence: &[f32], name: &[f32], [common, typical]: [Vec<u32>; 2]) -> Self {
        let (sentence, sentence_scale) = to_bytes(sentence);
        let (name, name_scale) = to_bytes(name);
        Self { sentence, sentence_scale, name, name_scale, common, typical }
    }

    /// Reads what [`Model::to_file`] wrote.
    ///
    /// # Errors
    /// When it is something else, or damaged.
    pub fn from_file(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or(ModelError::Magic)?;
        let (header, rest) = rest.split_at_checked(16).ok_or(ModelError::Magic)?;
        let word = |k: usize| [header[4 * k], header[4 * k + 1], header[4 * k + 2], header[4 * k + 3]];
        let [common, typical] = [2, 3].map(|k| u32::from_le_bytes(word(k)) as usize);
        let sizes = [SENTENCE_BUCKETS * OUTPUTS, NAME_BUCKETS];
        let expected = sizes[0] + sizes[1] + common.saturating_add(typical).saturating_mul(4);
        if rest.len() != expected {
            return Err(ModelError::Length { found: rest.len(), expected });
        }
        let (weights, words) = rest.split_at(sizes[0] + sizes[1]);
        let (common, typical) = words.split_at(4 * common);
        let hashes =
            |bytes: &[u8]| bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let signed = |bytes: &[u8]| bytes.iter().map(|byte| byte.cast_signed()).collect();
        Ok(Self {
            sentence: signed(&weights[..sizes[0]]),
            sentence_scale: f32::from_le_bytes(word(0)),
            name: signed(&weights[sizes[0]..]),
            name_scale: f32::from_le_bytes(word(1)),
            common: hashes(common),
            typical: hashes(typical),
        })
    }

    /// The weights as one file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.sentence_scale.to_le_bytes());
        bytes.extend(self.name_scale.to_le_bytes());
        for words in [&self.common, &self.typical] {
            bytes.extend(u32::try_from(words.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        bytes.extend(self.sentence.iter().chain(&self.name).map(|weight| weight.cast_unsigned()));
        bytes.extend(self.common.iter().chain(&self.typical).flat_map(|word| word.to_le_bytes()));
        bytes
    }

    /// How likely each token is a name; a token that is no word is none.
    pub(crate) fn names(&self, tokens: &[Token], added: &Added) -> Vec<f32> {
        let (mut shares, mut named) = (Vec::with_capacity(tokens.len()), Vec::with_capacity(tokens.len()));
        for place in 0..tokens.len() {
            let added = added.words.get(place).copied().unwrap_or_default();
            let share =
                if tokens[place].kind == TokenKind::Word { self.name_share(tokens, place, &named, added) } else { 0.0 };
            shares.push(share);
            named.push(share > 0.5);
        }
        shares
    }

    fn name_share(&self, tokens: &[Token], place: usize, named: &[bool], added: f32) -> f32 {
        let listed = |words: &[u32], word: &str| words.binary_search(&feature::word_hash(word)).is_ok();
        let known = Known { common: &|word| listed(&self.common, word), typical: &|word| listed(&self.typical, word) };
        let features = feature::name(tokens, place, named, known);
        let sum: i32 = features.iter().map(|feature| i32::from(self.name[*feature as usize])).sum();
        #[allow(clippy::cast_precision_loss, reason = "a small sum")]
        let score = sum as f32 * self.name_scale + added;
        1.0 / (1.0 + (-score).exp())
    }

    /// Probabilities for a sentence.
    pub(crate) fn scores(&self, tokens: &[Token], is_name: &[bool], added: &Added) -> Scores {
        let features = feature::sentence(tokens, is_name);
        let mut sums = [0_i32; OUTPUTS];
        for feature in &features {
            let row = &self.sentence[*feature as usize * OUTPUTS..][..OUTPUTS];
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += i32::from(*weight);
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "a small sum")]
        let scale = self.sentence_scale / (features.len().max(1) as f32).sqrt();
        #[allow(clippy::cast_precision_loss, reason = "a small sum")]
        let mut logits: Vec<f32> = sums.iter().map(|sum| *sum as f32 * scale).collect();
        logits.iter_mut().zip(&added.sentence).for_each(|(logit, added)| *logit += added);
        let mut offset = 0;
        let mut head = |size: usize| {
            offset += size;
            softmax(&logits[offset - size..offset])
        };
        let [kind, topic, effect, direction, level] = SIZES.map(&mut head);
        Scores { kind, topic, effect, direction, level }
    }
}

/// Largest magnitude to 127.
#[allow(clippy::cast_possible_truncation, reason = "rounded to within eight bits")]
fn to_bytes(weights: &[f32]) -> (Vec<i8>, f32) {
    let most = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs())).max(1e-9);
    let scale = most / 127.0;
    (weights.iter().map(|weight| (weight / scale).round() as i8).collect(), scale)
}

pub(crate) fn softmax(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The class of each head.
pub(crate) fn classes(labels: &Labels) -> [usize; HEADS] {
    fn place<T: PartialEq>(all: &[T], one: &T) -> usize {
        all.iter().position(|known| known == one).unwrap_or(0)
    }
    [
        place(&KINDS, &labels.kind),
        place(&TOPICS, &labels.topic),
        place(&EFFECTS, &labels.effect),
        place(&DIRECTIONS, &labels.direction),
        place(&LEVELS, &labels.level),
    ]
}

/// Where the names of a catalogue stand in a sentence as whole words, longest first where two begin at one place.
pub(crate) fn names_at(text: &Text, catalogue: &[String]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = (0..text.len())
        .filter_map(|place| {
            let ends = catalogue.iter().filter(|name| !name.is_empty()).filter_map(|name| whole(text, place, name));
            ends.max().map(|end| (place, end))
        })
        .collect();
    let mut covered = 0;
    found.retain(|(start, end)| {
        let free = *start >= covered;
        covered = if free { *end } else { covered };
        free
    });
    found
}

fn whole(text: &Text, place: usize, name: &str) -> Option<usize> {
    let end = text.literal(place, name)?;
    let joins = |c: char| super::text::is_name_char(c) || matches!(c, '-' | '*');
    let starts_inside = place > 0 && joins(text.at(place - 1)) && joins(text.at(place));
    let ends_inside = joins(text.at(end)) && joins(text.at(end - 1));
    (!starts_inside && !ends_inside).then_some(end)
}
