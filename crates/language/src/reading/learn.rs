//! Training of the embedded classifier: a function from labelled sentences and a configuration to weights. Deterministic.

use super::{
    amount,
    feature::{self, Known, NAME_BUCKETS, SENTENCE_BUCKETS},
    fields::Labels,
    model::{HEADS, Model, OUTPUTS, classes, names_at},
    text::Text,
    time,
    token::{Token, TokenKind, tokens},
};
use jiff::Zoned;
use std::collections::{BTreeMap, BTreeSet};

/// One labelled sentence; `names` are the workloads as they stand in it, lower case.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The sentence.
    pub text: String,
    /// Its labels.
    pub labels: Labels,
    /// The workloads it names.
    pub names: Vec<String>,
}

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Passes over the samples.
    pub epochs: usize,
    /// Step of AdaGrad.
    pub rate: f32,
    /// Share of features left out of each step, 0..1.
    pub dropout: f32,
    /// Weight decay per step of a used weight.
    pub decay: f32,
    /// Seed of order and dropout.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { epochs: 12, rate: 0.15, dropout: 0.25, decay: 1e-5, seed: 1 }
    }
}

/// A deterministic generator (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    /// A number below `count` (0 where there is none).
    #[allow(clippy::cast_possible_truncation, reason = "below a usize")]
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count.max(1) as u64) as usize
    }
    /// A number from 0 to 1.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "24 bits fit")]
    pub fn share(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u64 << 24) as f32
    }
    /// True with that probability.
    pub fn chance(&mut self, share: f32) -> bool {
        self.share() < share
    }
    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
    /// Puts them in another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

struct Prepared {
    features: Vec<u32>,
    classes: [usize; HEADS],
    labelled: [bool; HEADS],
    tokens: Vec<Token>,
    named: Vec<bool>,
    teaches_names: bool,
}

/// Fits the classifier. `typical` are names that workloads often have.
#[must_use]
pub fn fit(samples: &[Sample], typical: &[String], now: &Zoned, config: &Config) -> Model {
    let prepared: Vec<Prepared> = samples.iter().map(|sample| prepare(sample, now)).collect();
    let typical = typical.iter().map(|name| feature::word_hash(&name.to_lowercase())).collect();
    let words = Words { common: common_words(&prepared), typical };
    let sentence = fit_sentence(&prepared, config);
    let name = fit_names(&prepared, &words, config);
    Model::quantise(&sentence, &name, [words.common.into_keys().collect(), words.typical.into_iter().collect()])
}

fn prepare(sample: &Sample, now: &Zoned) -> Prepared {
    let text = Text::new(&sample.text);
    let amounts = amount::amounts(&text);
    let taken: Vec<(usize, usize)> = amounts.iter().map(|amount| (amount.start, amount.end)).collect();
    let times = time::read(&text, now, &taken).places;
    let tokens = tokens(&text, &amounts, &times, &names_at(&text, &sample.names));
    let named: Vec<bool> = tokens.iter().map(|token| sample.names.contains(&token.text)).collect();
    Prepared {
        features: feature::sentence(&tokens, &named),
        classes: classes(&sample.labels),
        labelled: labelled(&sample.labels),
        tokens,
        named,
        teaches_names: sample.labels.kind != super::fields::Kind::None,
    }
}

/// Which heads a sample teaches: effect only where an amount can have one, direction only in reports, and so on.
fn labelled(labels: &Labels) -> [bool; HEADS] {
    use super::fields::Kind::{Event, Hold, Priority, Report, Rule};
    let kind = labels.kind;
    [
        true,
        matches!(kind, Event | Rule | Report | Hold),
        matches!(kind, Event | Rule | Report),
        matches!(kind, Report),
        matches!(kind, Report | Priority),
    ]
}

/// Words that sentences are made of, with how often they occur; names are not among them.
fn common_words(prepared: &[Prepared]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for sample in prepared.iter() {
        for (token, named) in sample.tokens.iter().zip(&sample.named) {
            if token.kind == TokenKind::Word && !named && (sample.teaches_names || !token.text.contains('-')) {
                *counts.entry(feature::word_hash(&token.text)).or_insert(0) += 1;
            }
        }
    }
    counts
}

fn fit_sentence(prepared: &[Prepared], config: &Config) -> Vec<f32> {
    let mut weights = AdaGrad::new(SENTENCE_BUCKETS * OUTPUTS, config);
    let mut random = Random(config.seed);
    let mut order: Vec<usize> = (0..prepared.len()).collect();
    for epoch in 0..config.epochs {
        weights.anneal(epoch, config.epochs);
        random.shuffle(&mut order);
        for &sample in &order {
            let sample = &prepared[sample];
            let kept: Vec<u32> = sample.features.iter().copied().filter(|_| !random.chance(config.dropout)).collect();
            let scale = 1.0 / (kept.len().max(1) as f32).sqrt();
            let mut offset = 0;
            for (head, size) in super::model::SIZES.into_iter().enumerate() {
                if sample.labelled[head] {
                    step(&mut weights, &kept, scale, offset, size, sample.classes[head]);
                }
                offset += size;
            }
        }
    }
    weights.values
}

/// One step of softmax regression for one head.
fn step(weights: &mut AdaGrad, kept: &[u32], scale: f32, offset: usize, size: usize, class: usize) {
    let place = |feature: u32, output: usize| feature as usize * OUTPUTS + offset + output;
    let scores: Vec<f32> = (0..size)
        .map(|output| kept.iter().map(|feature| weights.values[place(*feature, output)]).sum::<f32>() * scale)
        .collect();
    let shares = super::model::softmax(&scores);
    for (output, share) in shares.into_iter().enumerate() {
        let slope = (share - if output == class { 1.0 } else { 0.0 }) * scale;
        if slope.abs() > 1e-5 {
            for feature in kept {
                weights.step(place(*feature, output), slope);
            }
        }
    }
}

/// What single words are known for.
struct Words {
    /// How often each common word occurs.
    common: BTreeMap<u32, usize>,
    /// Names that workloads often have.
    typical: BTreeSet<u32>,
}

fn fit_names(prepared: &[Prepared], words: &Words, config: &Config) -> Vec<f32> {
    let mut weights = AdaGrad::new(NAME_BUCKETS, config);
    let mut random = Random(config.seed ^ 0x5eed);
    let mut order: Vec<usize> = (0..prepared.len()).filter(|index| prepared[*index].teaches_names).collect();
    for epoch in 0..config.epochs {
        weights.anneal(epoch, config.epochs);
        random.shuffle(&mut order);
        for &sample in &order {
            let sample = &prepared[sample];
            for place in 0..sample.tokens.len() {
                if sample.tokens[place].kind == TokenKind::Word {
                    let features = name_features(sample, place, words, &mut random);
                    let kept = features.into_iter().filter(|_| !random.chance(config.dropout)).collect();
                    step_name(&mut weights, kept, sample.named[place]);
                }
            }
        }
    }
    weights.values
}

/// Features of one word; a word seen nowhere else must look as unknown here as a new word will.
fn name_features(sample: &Prepared, place: usize, words: &Words, random: &mut Random) -> Vec<u32> {
    let named = sample.named[place];
    let own = feature::word_hash(&sample.tokens[place].text);
    let (unknown, untypical) = (!named && random.chance(0.15), random.chance(0.35));
    let common = |word: &str| {
        let word = feature::word_hash(word);
        let count = words.common.get(&word).copied().unwrap_or(0);
        if word == own { !unknown && count > usize::from(!named) } else { count > 0 }
    };
    let typical = |word: &str| !untypical && words.typical.contains(&feature::word_hash(word));
    feature::name(&sample.tokens, place, &sample.named, Known { common: &common, typical: &typical })
}

/// One step of logistic regression.
fn step_name(weights: &mut AdaGrad, features: Vec<u32>, named: bool) {
    let score: f32 = features.iter().map(|feature| weights.values[*feature as usize]).sum();
    let slope = 1.0 / (1.0 + (-score).exp()) - if named { 1.0 } else { 0.0 };
    for feature in features {
        weights.step(feature as usize, slope);
    }
}

/// Gradient descent whose steps shrink for weights that have moved much (Duchi et al. 2011).
struct AdaGrad {
    values: Vec<f32>,
    moved: Vec<f32>,
    rate: f32,
    decay: f32,
    now: f32,
}

impl AdaGrad {
    fn new(count: usize, config: &Config) -> Self {
        Self {
            values: vec![0.0; count],
            moved: vec![1e-6; count],
            rate: config.rate,
            decay: config.decay,
            now: config.rate,
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a few epochs")]
    fn anneal(&mut self, epoch: usize, epochs: usize) {
        self.now = self.rate * (1.0 - 0.9 * epoch as f32 / epochs as f32);
    }
    fn step(&mut self, place: usize, slope: f32) {
        let slope = slope + self.decay * self.values[place];
        self.moved[place] += slope * slope;
        self.values[place] -= self.now * slope / self.moved[place].sqrt();
    }
}
