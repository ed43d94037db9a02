//! What the sentence encoder adds to the embedded classifier, where one is installed: linear heads on its vectors, trained
//! together with the n-grams, whose scores are added to theirs before the softmax.

use super::{
    model::{Model, ModelError, OUTPUTS},
    text::Text,
    token::{Token, TokenKind},
};
use apportion_model::encoder::SentenceEncoder;
use std::sync::Arc;

/// Layers of the encoder whose means describe a sentence.
const SENTENCE_LAYERS: [usize; 2] = [1, 2];
/// The layer whose vectors describe a word, of those asked for.
const WORD_LAYER: usize = 0;
/// Layers that are kept, counted from the embeddings.
const LAYERS: [usize; 3] = [7, 9, 12];
const MAGIC: &[u8; 8] = b"APHEAD01";

/// Vectors of a sentence and of those of its tokens that are words.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) sentence: Vec<f32>,
    pub(crate) words: Vec<Option<Vec<f32>>>,
}

impl Encoded {
    pub(crate) fn new(encoder: &SentenceEncoder, text: &Text, tokens: &[Token]) -> Self {
        let sentence: String = text.cased.iter().collect();
        let encoding = encoder.encode(&sentence, &LAYERS);
        let word = |token: &Token| {
            let inside = |(start, end): &(usize, usize)| *start < token.end && token.start < *end;
            let pieces: Vec<usize> =
                (0..encoding.places().len()).filter(|at| inside(&encoding.places()[*at])).collect();
            let mut mean = vec![0.0; encoder.width()];
            for piece in &pieces {
                mean.iter_mut().zip(encoding.token(WORD_LAYER, *piece)).for_each(|(sum, x)| *sum += x);
            }
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            mean.iter_mut().for_each(|sum| *sum /= pieces.len().max(1) as f32);
            mean
        };
        Self {
            sentence: SENTENCE_LAYERS.iter().flat_map(|layer| encoding.mean(*layer)).collect(),
            words: tokens.iter().map(|token| (token.kind == TokenKind::Word).then(|| word(token))).collect(),
        }
    }
}

/// A linear map with an offset, `[inputs][outputs]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Linear {
    pub(crate) weights: Vec<f32>,
    pub(crate) offsets: Vec<f32>,
}

impl Linear {
    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut sums = self.offsets.clone();
        for (x, row) in x.iter().zip(self.weights.chunks_exact(self.offsets.len())) {
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += x * weight);
        }
        sums
    }
}

/// The weights of the heads, with those of the n-grams that were trained with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Heads {
    pub(crate) model: Model,
    pub(crate) sentence: Linear,
    pub(crate) word: Linear,
}

impl Heads {
    /// The weights as one file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let model = self.model.to_file();
        let mut bytes = MAGIC.to_vec();
        for size in [model.len(), self.sentence.weights.len(), self.word.weights.len()] {
            bytes.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        }
        bytes.extend(model);
        for numbers in [&self.sentence.weights, &self.sentence.offsets, &self.word.weights, &self.word.offsets] {
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes
    }

    /// Reads what [`Heads::to_file`] wrote.
    ///
    /// # Errors
    /// When it is something else, or damaged.
    pub fn from_file(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or(ModelError::Magic)?;
        let (sizes, rest) = rest.split_at_checked(12).ok_or(ModelError::Magic)?;
        let size = |k: usize| {
            u32::from_le_bytes([sizes[4 * k], sizes[4 * k + 1], sizes[4 * k + 2], sizes[4 * k + 3]]) as usize
        };
        let counts = [size(1), OUTPUTS, size(2), 1];
        let expected = counts.iter().map(|count| 4 * count).sum::<usize>().saturating_add(size(0));
        if rest.len() != expected {
            return Err(ModelError::Length { found: rest.len(), expected });
        }
        let (model, numbers) = rest.split_at(size(0));
        let mut numbers = numbers.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut take = |count: usize| numbers.by_ref().take(count).collect::<Vec<f32>>();
        let [weights, offsets, word_weights, word_offsets] = counts.map(&mut take);
        Ok(Self {
            model: Model::from_file(model)?,
            sentence: Linear { weights, offsets },
            word: Linear { weights: word_weights, offsets: word_offsets },
        })
    }
}

/// Scores that an encoder adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Added {
    /// To each class of each head; empty where there is no encoder.
    pub(crate) sentence: Vec<f32>,
    /// To each token being a name; empty where there is no encoder.
    pub(crate) words: Vec<f32>,
}

/// What reads a sentence: n-grams, and heads on an encoder where there is one.
#[derive(Clone, Debug)]
pub(crate) struct Classifier {
    pub(crate) model: Model,
    heads: Option<(Linear, Linear, Arc<SentenceEncoder>)>,
}

impl Classifier {
    pub(crate) const fn embedded(model: Model) -> Self {
        Self { model, heads: None }
    }

    /// With heads trained for this encoder.
    ///
    /// # Errors
    /// When the heads are of an encoder of another width.
    pub(crate) fn encoded(heads: Heads, encoder: Arc<SentenceEncoder>) -> Result<Self, ModelError> {
        let Heads { model, sentence, word } = heads;
        let (found, expected) = (sentence.weights.len() / OUTPUTS, SENTENCE_LAYERS.len() * encoder.width());
        if found != expected || word.weights.len() != encoder.width() || encoder.layers() < LAYERS[2] {
            return Err(ModelError::Length { found, expected });
        }
        Ok(Self { model, heads: Some((sentence, word, encoder)) })
    }

    pub(crate) fn added(&self, text: &Text, tokens: &[Token]) -> Added {
        let Some((sentence, word, encoder)) = &self.heads else { return Added::default() };
        let encoded = Encoded::new(encoder, text, tokens);
        Added {
            sentence: sentence.apply(&encoded.sentence),
            words: encoded.words.iter().map(|x| x.as_ref().map_or(0.0, |x| word.apply(x)[0])).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_heads_are_whole_and_damaged_ones_are_refused() {
        let bytes = include_bytes!("../../weights/heads.bin");
        let heads = Heads::from_file(bytes).unwrap();
        assert_eq!(heads.to_file(), bytes);
        assert_eq!(heads.sentence.weights.len(), SENTENCE_LAYERS.len() * 384 * OUTPUTS);
        let error = |bytes: &[u8]| Heads::from_file(bytes).unwrap_err().to_string();
        assert!(error(b"APLANG01").contains("not weights"));
        assert!(error(&bytes[..bytes.len() - 1]).contains("damaged"));
        let mut larger = bytes.to_vec();
        larger[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(error(&larger).contains("damaged"));
    }

    #[test]
    fn a_linear_map_multiplies_and_adds() {
        let map = Linear { weights: vec![1.0, 2.0, 3.0, 4.0], offsets: vec![0.5, -0.5] };
        assert_eq!(map.apply(&[2.0, -1.0]), [2.0 - 3.0 + 0.5, 4.0 - 4.0 - 0.5]);
    }
}
