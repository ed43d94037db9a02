//! Text to pieces: XLM-RoBERTa's unigram vocabulary (Kudo 2018). Characters are mapped, runs of spaces become one, a space is
//! put in front, and the pieces with the greatest sum of scores are found (Viterbi).

use std::collections::BTreeMap;

use super::EncoderError;
use super::file::Cursor;

/// How a vocabulary writes a space.
const SPACE: char = '\u{2581}';
/// What a character that is in no piece costs more than the rarest piece.
const UNKNOWN_COST: f32 = 10.0;

/// The vocabulary and what is done to characters first.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// Where each piece begins in `text`, and where the last ends.
    starts: Vec<u32>,
    scores: Vec<f32>,
    text: String,
    /// Piece + 1 by hash of its bytes, 0 where free; a power of two long.
    table: Vec<u32>,
    longest: usize,
    unknown_score: f32,
    replacements: BTreeMap<char, Vec<char>>,
    pub(super) first: u32,
    pub(super) last: u32,
    unknown: u32,
}

/// A piece and the characters of the text that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Vocabulary {
    /// Reads it; `words` is how many rows the embedding has.
    pub(super) fn read(cursor: &mut Cursor<'_>, words: usize) -> Result<Self, EncoderError> {
        const WHAT: &str = "the vocabulary";
        let count = cursor.size(WHAT)?;
        let [first, last, _pad, unknown] = [(); 4].map(|()| cursor.u32(WHAT));
        let (first, last, unknown) = (first?, last?, unknown?);
        let length = usize::try_from(cursor.u64(WHAT)?).unwrap_or(usize::MAX);
        let starts: Vec<u32> = cursor.words(WHAT, count + 1)?.collect();
        let scores: Vec<f32> = cursor.words(WHAT, count)?.map(f32::from_bits).collect();
        let text = std::str::from_utf8(cursor.bytes(WHAT, length)?).map_err(|_| damaged("its pieces are no text"))?;
        let inside = |start: u32| text.is_char_boundary(start as usize);
        if count == 0 || count > words || [first, last, unknown].iter().any(|id| *id as usize >= words) {
            return Err(damaged("it names words that the embedding does not have"));
        }
        if !starts.is_sorted() || !starts.iter().all(|start| inside(*start)) {
            return Err(damaged("its pieces lie outside of it"));
        }
        if scores.iter().any(|score| !score.is_finite()) {
            return Err(damaged("a score is no number"));
        }
        let mut vocabulary = Self {
            longest: starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or_default(),
            unknown_score: scores.iter().copied().fold(f32::INFINITY, f32::min) - UNKNOWN_COST,
            table: vec![0; (2 * count).next_power_of_two()],
            text: text.to_owned(),
            replacements: read_replacements(cursor)?,
            starts,
            scores,
            first,
            last,
            unknown,
        };
        vocabulary.index();
        Ok(vocabulary)
    }

    fn index(&mut self) {
        for piece in 0..self.scores.len() {
            let word = self.piece(piece).as_bytes();
            let mut at = self.slot(word);
            while self.table[at] != 0 {
                at = (at + 1) % self.table.len();
            }
            self.table[at] = piece as u32 + 1;
        }
    }

    fn piece(&self, piece: usize) -> &str {
        &self.text[self.starts[piece] as usize..self.starts[piece + 1] as usize]
    }

    /// FNV-1a, reduced to the table.
    fn slot(&self, word: &[u8]) -> usize {
        let hash = word
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        hash as usize & (self.table.len() - 1)
    }

    fn find(&self, word: &str) -> Option<u32> {
        let mut at = self.slot(word.as_bytes());
        while let Some(piece) = self.table[at].checked_sub(1) {
            if self.piece(piece as usize) == word {
                return Some(piece);
            }
            at = (at + 1) % self.table.len();
        }
        None
    }

    /// The pieces of a text; each tells which of the text's characters it is of, counted from 0.
    pub(super) fn pieces(&self, text: &str) -> Vec<Piece> {
        let (letters, sources) = self.normalise(text);
        let edges: Vec<usize> = letters.char_indices().map(|(at, _)| at).chain([letters.len()]).collect();
        let mut best = vec![Step { score: f32::NEG_INFINITY, id: self.unknown, from: 0 }; edges.len()];
        best[0].score = 0.0;
        for from in 0..edges.len() - 1 {
            self.extend(&letters, &edges, from, &mut best);
        }
        let mut found = Vec::new();
        let mut end = edges.len() - 1;
        while end > 0 {
            let Step { id, from, .. } = best[end];
            found.push(Piece { id, start: sources[from], end: sources[end - 1] + 1 });
            end = from;
        }
        found.reverse();
        found
    }

    /// Tries every piece that begins at `from`.
    fn extend(&self, letters: &str, edges: &[usize], from: usize, best: &mut [Step]) {
        let score = best[from].score;
        let mut offer = |end: usize, id: u32, score: f32| {
            if score > best[end].score {
                best[end] = Step { score, id, from };
            }
        };
        for end in from + 1..edges.len() {
            let (start, stop) = (edges[from], edges[end]);
            if stop - start > self.longest {
                break;
            }
            if let Some(id) = self.find(&letters[start..stop]).filter(|id| *id != self.unknown) {
                offer(end, id, score + self.scores[id as usize]);
            }
        }
        offer(from + 1, self.unknown, score + self.unknown_score);
    }

    /// The text as the vocabulary writes it, and for each character the one that it comes from.
    fn normalise(&self, text: &str) -> (String, Vec<usize>) {
        let mut mapped: Vec<(char, usize)> = Vec::with_capacity(text.len() + 1);
        for (source, c) in text.chars().enumerate() {
            match self.replacements.get(&c) {
                Some(others) => mapped.extend(others.iter().map(|other| (*other, source))),
                None => mapped.push((c, source)),
            }
        }
        mapped.dedup_by(|next, last| next.0 == ' ' && last.0 == ' ');
        if mapped.first().is_none_or(|(c, _)| *c != ' ') {
            mapped.insert(0, (' ', 0));
        }
        mapped.into_iter().map(|(c, source)| (if c == ' ' { SPACE } else { c }, source)).unzip()
    }
}

/// The best way to a place: its score, its last piece, and where that begins.
#[derive(Clone, Copy)]
struct Step {
    score: f32,
    id: u32,
    from: usize,
}

fn read_replacements(cursor: &mut Cursor<'_>) -> Result<BTreeMap<char, Vec<char>>, EncoderError> {
    const WHAT: &str = "the map of characters";
    let character = |code| char::from_u32(code).ok_or_else(|| damaged("its map of characters holds none"));
    let mut replacements = BTreeMap::new();
    let count = cursor.size(WHAT)?;
    cursor.u32(WHAT)?; // the size, which the entries say again
    for _ in 0..count {
        let from = character(cursor.u32(WHAT)?)?;
        let length = usize::from(cursor.bytes(WHAT, 1)?[0]);
        let to: Result<Vec<char>, _> = cursor.words(WHAT, length)?.map(character).collect();
        replacements.insert(from, to?);
    }
    Ok(replacements)
}

fn damaged(how: &str) -> EncoderError {
    EncoderError::Vocabulary(how.to_owned())
}
