//! Training of the embedded classifier: a function from labelled sentences and a configuration to weights. Deterministic.

use super::{
    amount,
    encoded::{Encoded, Heads, Linear},
    feature::{self, Known, NAME_BUCKETS, SENTENCE_BUCKETS},
    fields::Labels,
    model::{HEADS, Model, OUTPUTS, classes, names_at},
    text::Text,
    time,
    token::{Token, TokenKind, tokens},
};
use apportion_model::encoder::SentenceEncoder;
use jiff::Zoned;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

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
    /// Step of AdaGrad for heads on an encoder.
    pub dense_rate: f32,
    /// Weight decay for heads on an encoder.
    pub dense_decay: f32,
    /// Seed of order and dropout.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { epochs: 12, rate: 0.15, dropout: 0.25, decay: 1e-5, dense_rate: 0.05, dense_decay: 1e-4, seed: 1 }
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

/// A sample as the classifier sees it.
#[derive(Clone, Debug)]
pub struct Prepared {
    features: Vec<u32>,
    classes: [usize; HEADS],
    labelled: [bool; HEADS],
    tokens: Vec<Token>,
    named: Vec<bool>,
    teaches_names: bool,
    encoded: Option<Encoded>,
}

/// Fits the classifier that is embedded. `typical` are names that workloads often have.
#[must_use]
pub fn fit(samples: &[&Prepared], typical: &[String], config: &Config) -> Model {
    let plain: Vec<Prepared> = samples.iter().map(|sample| Prepared { encoded: None, ..(*sample).clone() }).collect();
    fit_heads(&plain.iter().collect::<Vec<_>>(), typical, config).model
}

/// Fits heads on an encoder together with n-grams; the samples were prepared with that encoder.
#[must_use]
pub fn fit_heads(samples: &[&Prepared], typical: &[String], config: &Config) -> Heads {
    let typical = typical.iter().map(|name| feature::word_hash(&name.to_lowercase())).collect();
    let words = Words { common: common_words(samples), typical };
    let ((sentence, on_sentence), (name, on_word)) = std::thread::scope(|scope| {
        let names = scope.spawn(|| fit_names(samples, &words, config));
        let sentence = fit_sentence(samples, config);
        (sentence, names.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let model =
        Model::quantise(&sentence, &name, [words.common.into_keys().collect(), words.typical.into_iter().collect()]);
    Heads { model, sentence: on_sentence, word: on_word }
}

/// Makes a sample ready, once for all fits.
#[must_use]
pub fn prepare(sample: &Sample, now: &Zoned, encoder: Option<&SentenceEncoder>) -> Prepared {
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
        encoded: encoder.map(|encoder| Encoded::new(encoder, &text, &tokens)),
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

/// Words that sentences are made of, with how often they occur; what is a name more often than not is not among them.
fn common_words(prepared: &[&Prepared]) -> BTreeMap<u32, usize> {
    let mut counts: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    for sample in prepared {
        for (token, named) in sample.tokens.iter().zip(&sample.named).filter(|(token, _)| token.kind == TokenKind::Word)
        {
            let (plain, names) = counts.entry(feature::word_hash(&token.text)).or_default();
            *names += usize::from(*named);
            *plain += usize::from(!named && (sample.teaches_names || !token.text.contains('-')));
        }
    }
    counts.into_iter().filter(|(_, (plain, names))| plain > names).map(|(word, (plain, _))| (word, plain)).collect()
}

fn fit_sentence(prepared: &[&Prepared], config: &Config) -> (Vec<f32>, Linear) {
    let mut weights = AdaGrad::new(SENTENCE_BUCKETS * OUTPUTS, config);
    let vectors = Vectors::new(prepared.iter().filter_map(|sample| sample.encoded.as_ref().map(|e| &e.sentence[..])));
    let mut dense = Dense::new(vectors, OUTPUTS, config);
    let mut random = Random(config.seed);
    let mut order: Vec<usize> = (0..prepared.len()).collect();
    for epoch in 0..config.epochs {
        weights.anneal(epoch, config.epochs);
        dense.weights.anneal(epoch, config.epochs);
        random.shuffle(&mut order);
        for &sample in &order {
            let sample = &prepared[sample];
            let kept: Vec<u32> = sample.features.iter().copied().filter(|_| !random.chance(config.dropout)).collect();
            let x =
                sample.encoded.as_ref().map_or_else(Vec::new, |encoded| dense.input(&encoded.sentence, &mut random));
            let mut offset = 0;
            for (head, size) in super::model::SIZES.into_iter().enumerate() {
                if sample.labelled[head] {
                    step(&mut weights, &mut dense, (&kept, &x), offset..offset + size, sample.classes[head]);
                }
                offset += size;
            }
        }
    }
    (weights.values, dense.folded())
}

/// One step of softmax regression for one head, whose outputs are `outputs`.
fn step(weights: &mut AdaGrad, dense: &mut Dense, (kept, x): (&[u32], &[f32]), outputs: Range<usize>, class: usize) {
    let scale = 1.0 / (kept.len().max(1) as f32).sqrt();
    let place = |feature: u32, output: usize| feature as usize * OUTPUTS + output;
    let mut scores = dense.scores(x, outputs.clone());
    for (score, output) in scores.iter_mut().zip(outputs.clone()) {
        *score += kept.iter().map(|feature| weights.values[place(*feature, output)]).sum::<f32>() * scale;
    }
    let mut slopes = super::model::softmax(&scores);
    slopes[class] -= 1.0;
    for (slope, output) in slopes.iter().zip(outputs.clone()) {
        if (slope * scale).abs() > 1e-5 {
            for feature in kept {
                weights.step(place(*feature, output), slope * scale);
            }
        }
    }
    dense.step(x, outputs, &slopes);
}

/// What single words are known for.
struct Words {
    /// How often each common word occurs.
    common: BTreeMap<u32, usize>,
    /// Names that workloads often have.
    typical: BTreeSet<u32>,
}

fn fit_names(prepared: &[&Prepared], words: &Words, config: &Config) -> (Vec<f32>, Linear) {
    let mut weights = AdaGrad::new(NAME_BUCKETS, config);
    let mut order: Vec<usize> = (0..prepared.len()).filter(|index| prepared[*index].teaches_names).collect();
    let encoded = order.iter().filter_map(|index| prepared[*index].encoded.as_ref());
    let vectors = Vectors::new(encoded.flat_map(|encoded| encoded.words.iter().flatten().map(|word| &word[..])));
    let mut dense = Dense::new(vectors, 1, config);
    let mut random = Random(config.seed ^ 0x5eed);
    for epoch in 0..config.epochs {
        weights.anneal(epoch, config.epochs);
        dense.weights.anneal(epoch, config.epochs);
        random.shuffle(&mut order);
        for &sample in &order {
            let sample = &prepared[sample];
            for place in 0..sample.tokens.len() {
                if sample.tokens[place].kind == TokenKind::Word {
                    let features = name_features(sample, place, words, &mut random);
                    let kept: Vec<u32> = features.into_iter().filter(|_| !random.chance(config.dropout)).collect();
                    let word = sample.encoded.as_ref().and_then(|encoded| encoded.words[place].as_ref());
                    let x = word.map_or_else(Vec::new, |word| dense.input(word, &mut random));
                    step_name(&mut weights, &mut dense, (&kept, &x), sample.named[place]);
                }
            }
        }
    }
    (weights.values, dense.folded())
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
fn step_name(weights: &mut AdaGrad, dense: &mut Dense, (kept, x): (&[u32], &[f32]), named: bool) {
    let score = kept.iter().map(|feature| weights.values[*feature as usize]).sum::<f32>() + dense.scores(x, 0..1)[0];
    let slope = 1.0 / (1.0 + (-score).exp()) - if named { 1.0 } else { 0.0 };
    for feature in kept {
        weights.step(*feature as usize, slope);
    }
    dense.step(x, 0..1, &[slope]);
}

/// Mean and deviation of each number of some vectors.
struct Vectors {
    means: Vec<f32>,
    deviations: Vec<f32>,
}

impl Vectors {
    fn new<'a>(vectors: impl Iterator<Item = &'a [f32]> + Clone) -> Self {
        let width = vectors.clone().next().map_or(0, <[f32]>::len);
        let (mut sums, mut squares, mut count) = (vec![0.0_f64; width], vec![0.0_f64; width], 0.0);
        for vector in vectors {
            count += 1.0;
            for ((sum, square), x) in sums.iter_mut().zip(&mut squares).zip(vector) {
                *sum += f64::from(*x);
                *square += f64::from(*x) * f64::from(*x);
            }
        }
        let deviation = |(sum, square): (&f64, &f64)| (square / count - (sum / count).powi(2)).max(1e-8).sqrt() as f32;
        let deviations = sums.iter().zip(&squares).map(deviation).collect();
        Self { means: sums.iter().map(|sum| (sum / count) as f32).collect(), deviations }
    }
}

/// A linear map that is being fitted, on numbers brought to mean 0 and one common length.
struct Dense {
    vectors: Vectors,
    outputs: usize,
    dropout: f32,
    /// `[inputs][outputs]`
    weights: AdaGrad,
}

impl Dense {
    fn new(vectors: Vectors, outputs: usize, config: &Config) -> Self {
        let weights = AdaGrad::new(
            vectors.means.len() * outputs,
            &Config { rate: config.dense_rate, decay: config.dense_decay, ..*config },
        );
        Self { vectors, outputs, dropout: config.dropout, weights }
    }

    /// How much each input counts: so that a vector has length 1.
    fn scale(&self) -> f32 {
        1.0 / (self.vectors.means.len().max(1) as f32).sqrt()
    }

    fn input(&self, vector: &[f32], random: &mut Random) -> Vec<f32> {
        let scale = self.scale() / (1.0 - self.dropout);
        let Vectors { means, deviations } = &self.vectors;
        let numbers = vector.iter().zip(means.iter().zip(deviations));
        numbers
            .map(
                |(x, (mean, deviation))| {
                    if random.chance(self.dropout) { 0.0 } else { (x - mean) / deviation * scale }
                },
            )
            .collect()
    }

    fn scores(&self, x: &[f32], outputs: Range<usize>) -> Vec<f32> {
        let mut scores = vec![0.0; outputs.len()];
        for (x, row) in x.iter().zip(self.weights.values.chunks_exact(self.outputs)) {
            scores.iter_mut().zip(&row[outputs.clone()]).for_each(|(score, weight)| *score += x * weight);
        }
        scores
    }

    fn step(&mut self, x: &[f32], outputs: Range<usize>, slopes: &[f32]) {
        for (at, x) in x.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            for (slope, output) in slopes.iter().zip(outputs.clone()) {
                self.weights.step(at * self.outputs + output, slope * x);
            }
        }
    }

    /// The map on the numbers as they are.
    fn folded(&self) -> Linear {
        let scale = self.scale();
        let mut folded = Linear { weights: self.weights.values.clone(), offsets: vec![0.0; self.outputs] };
        let inputs = self.vectors.means.iter().zip(&self.vectors.deviations);
        for (row, (mean, deviation)) in folded.weights.chunks_exact_mut(self.outputs).zip(inputs) {
            for (weight, offset) in row.iter_mut().zip(&mut folded.offsets) {
                *weight *= scale / deviation;
                *offset -= *weight * mean;
            }
        }
        folded
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
