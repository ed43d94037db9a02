//! The header of a GGUF file (version 2 or 3, little-endian): metadata, and where each tensor lies.
//!
//! Format: ggml's `docs/gguf.md`. Counts and lengths in the file are held against what is left of it, so that memory stays in
//! proportion to the file (at worst some 32 times, for a list of bytes).

use super::{GgufError, block::Precision, damaged, unsupported};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

const MAGIC: &[u8; 4] = b"GGUF";
/// No tensor of the llama family has more than two dimensions.
const MOST_DIMENSIONS: u32 = 4;
/// Arrays in arrays go no deeper than this.
const DEEPEST: u32 = 4;

/// A value of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Whole(i128),
    Real(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

/// Where a tensor lies and what it is.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// The fastest-running dimension: inputs of a matrix, width of a vector.
    pub(super) inputs: usize,
    /// Rows of a matrix; 1 for a vector.
    pub(super) outputs: usize,
    pub(super) precision: Precision,
    offset: u64,
}

/// A GGUF file whose header was read.
#[derive(Debug)]
pub struct GgufFile<R = File> {
    source: R,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

impl GgufFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`GgufError`].
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        Self::read(File::open(path)?)
    }
}

impl<R: Read + Seek> GgufFile<R> {
    /// Reads the header from any source.
    ///
    /// # Errors
    /// [`GgufError`].
    pub fn read(mut source: R) -> Result<Self, GgufError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut header = Header { source: BufReader::new(source), left: length };
        let (tensor_count, metadata_count) = header.begin()?;
        let mut metadata = BTreeMap::new();
        for _ in 0..metadata_count {
            let key = header.text()?;
            let kind = header.u32()?;
            metadata.insert(key, header.value(kind, 0)?);
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let name = header.text()?;
            let tensor = header.tensor(&name)?;
            tensors.insert(name, tensor);
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(Value::Whole(n @ 8..=65_536)) if n % 8 == 0 => *n as u64,
            Some(other) => return Err(damaged(format!("general.alignment is {other:?}"))),
        };
        let data = (length - header.left).next_multiple_of(alignment);
        for (name, tensor) in &mut tensors {
            let bytes = tensor.precision.bytes(tensor.inputs * tensor.outputs) as u64;
            let end = data.checked_add(tensor.offset).and_then(|start| start.checked_add(bytes));
            if end.is_none_or(|end| end > length) {
                return Err(damaged(format!("tensor {name} ends beyond the file: it was cut short")));
            }
            tensor.offset += data;
        }
        Ok(Self { source: header.source.into_inner(), metadata, tensors })
    }

    pub(super) fn tensor(&self, name: &str) -> Result<&Tensor, GgufError> {
        self.tensors.get(name).ok_or_else(|| damaged(format!("tensor {name} is missing")))
    }

    pub(super) fn has_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The bytes of a tensor, as they are in the file.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Vec<u8>, GgufError> {
        let tensor = self.tensor(name)?.clone();
        self.source.seek(SeekFrom::Start(tensor.offset))?;
        let mut bytes = vec![0; tensor.precision.bytes(tensor.inputs * tensor.outputs)];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.metadata.contains_key(key)
    }

    pub(super) fn value(&self, key: &str) -> Result<&Value, GgufError> {
        self.metadata.get(key).ok_or_else(|| damaged(format!("{key} is missing")))
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, GgufError> {
        match self.value(key)? {
            Value::Text(text) => Ok(text),
            other => Err(damaged(format!("{key} is no text but {other:?}"))),
        }
    }

    pub(super) fn count(&self, key: &str) -> Result<usize, GgufError> {
        match self.value(key)? {
            Value::Whole(n) if *n > 0 && *n <= i128::from(u32::MAX) => Ok(*n as usize),
            other => Err(damaged(format!("{key} is no count but {other:?}"))),
        }
    }

    pub(super) fn real(&self, key: &str) -> Result<f32, GgufError> {
        match self.value(key)? {
            Value::Real(x) if x.is_finite() && *x > 0.0 => Ok(*x as f32),
            other => Err(damaged(format!("{key} is no positive number but {other:?}"))),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&str>, GgufError> {
        let wrong = || damaged(format!("{key} is no list of texts"));
        let Value::List(list) = self.value(key)? else { return Err(wrong()) };
        list.iter().map(|value| if let Value::Text(text) = value { Ok(text.as_str()) } else { Err(wrong()) }).collect()
    }
}

/// Reads the header, never more than is left of the file.
struct Header<R> {
    source: BufReader<R>,
    left: u64,
}

impl<R: Read> Header<R> {
    /// Numbers of tensors and of metadata.
    fn begin(&mut self) -> Result<(u64, u64), GgufError> {
        if &self.array::<4>().map_err(|_| damaged("it is empty or shorter than its mark"))? != MAGIC {
            return Err(damaged("it does not begin with GGUF"));
        }
        match self.u32()? {
            2 | 3 => {}
            version => return Err(unsupported(format!("GGUF version {version}; 2 and 3 are known"))),
        }
        let (tensors, metadata) = (self.u64()?, self.u64()?);
        // A tensor's entry has at least 24 bytes, one of the metadata at least 13.
        if tensors.saturating_mul(24).saturating_add(metadata.saturating_mul(13)) > self.left {
            return Err(damaged(format!("it promises {tensors} tensors and {metadata} entries, more than fit in it")));
        }
        Ok((tensors, metadata))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.spend(N as u64)?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| damaged("its header ends beyond the file"))?;
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<String, GgufError> {
        let length = self.u64()?;
        self.spend(length)?;
        let mut bytes = vec![0; length as usize];
        self.source.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| damaged("a text in its header is not UTF-8"))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, GgufError> {
        Ok(match kind {
            0 => Value::Whole(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Whole(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Whole(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Whole(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Whole(self.u32()?.into()),
            5 => Value::Whole(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Real(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 if depth < DEEPEST => self.list(depth + 1)?,
            10 => Value::Whole(self.u64()?.into()),
            11 => Value::Whole(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Real(f64::from_le_bytes(self.array()?)),
            other => return Err(damaged(format!("a value in its header is of unknown kind {other}"))),
        })
    }

    fn list(&mut self, depth: u32) -> Result<Value, GgufError> {
        let (kind, length) = (self.u32()?, self.u64()?);
        let least = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            _ => 8,
        };
        if length.saturating_mul(least) > self.left {
            return Err(damaged(format!("a list in its header promises {length} values, more than fit in it")));
        }
        (0..length).map(|_| self.value(kind, depth)).collect::<Result<_, _>>().map(Value::List)
    }

    fn tensor(&mut self, name: &str) -> Result<Tensor, GgufError> {
        let dimensions = self.u32()?;
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(damaged(format!("tensor {name} has {dimensions} dimensions")));
        }
        let sizes: Vec<u64> = (0..dimensions).map(|_| self.u64()).collect::<Result<_, _>>()?;
        let code = self.u32()?;
        let precision = Precision::of(code).ok_or_else(|| {
            unsupported(format!(
                "tensor {name} is of ggml's type {code}; F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 are known"
            ))
        })?;
        let offset = self.u64()?;
        let size = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0).map(|n| n as usize);
        let inputs = size(sizes[0]);
        let outputs = sizes[1..].iter().try_fold(1_u64, |product, n| product.checked_mul(*n)).and_then(size);
        let (Some(inputs), Some(outputs)) = (inputs, outputs) else {
            return Err(damaged(format!("tensor {name} has the sizes {sizes:?}")));
        };
        if inputs % precision.group() != 0 || inputs.checked_mul(outputs).is_none_or(|n| n > usize::MAX / 8) {
            return Err(damaged(format!("tensor {name} has {inputs} columns, which is no whole number of blocks")));
        }
        Ok(Tensor { inputs, outputs, precision, offset })
    }
}
