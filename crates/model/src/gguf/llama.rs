//! A decoder of the llama family: per layer `x += O attention(norm x)`, `x += D (silu(G norm x) · U norm x)`; logits `E norm x`.
//!
//! Queries share keys and values in groups; rotary positions turn neighbouring pairs `(2i, 2i + 1)` by `t base^(−2i / width)`, the order in
//! which GGUF keeps the rows of Q and K. One thread; keys and values of what was read are kept in a [`State`].

use super::{
    GgufError,
    block::BLOCK,
    damaged,
    file::GgufFile,
    matrix::{Matrix, Rounded},
    unsupported,
};
use crate::{
    layers::{
        activation::{silu, softmax},
        add, resize, rms_norm, vectorized,
    },
    matmul::{Mat, MatMut, Store, matmul},
};
use std::io::{Read, Seek};

/// Tokens that pass through the layers together; bounds the buffers.
const CHUNK: usize = 128;
/// No more tokens are kept than this, whatever the file allows: a question and its answer need fewer.
const MOST_TOKENS: usize = 8_192;
/// Layers beyond which a file is not believed.
const MOST_LAYERS: usize = 512;

/// The sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sizes {
    width: usize,
    hidden: usize,
    heads: usize,
    kept_heads: usize,
    head: usize,
    vocabulary: usize,
    context: usize,
    epsilon: f32,
    base: f32,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    q: Matrix,
    k: Matrix,
    v: Matrix,
    out: Matrix,
    feed_norm: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

/// A model in memory.
#[derive(Debug)]
pub struct Llama {
    sizes: Sizes,
    embedding: Matrix,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// None where the embedding serves for the output too.
    output: Option<Matrix>,
}

/// What was read so far, and the buffers of a pass.
#[derive(Debug, Default)]
pub struct State {
    /// Per layer, `[tokens, kept heads · head]`.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    tokens: usize,
    buffers: Buffers,
}

#[derive(Debug, Default)]
struct Buffers {
    x: Vec<f32>,
    normed: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    scores: Vec<f32>,
    mixed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    branch: Vec<f32>,
    logits: Vec<f32>,
    rounded: Rounded,
}

impl State {
    /// Forgets all but the first tokens, so that a prefix is read once for many questions.
    pub fn keep_first(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
    }
}

impl Sizes {
    fn read<R: Read + Seek>(file: &GgufFile<R>) -> Result<(Self, usize), GgufError> {
        let architecture = file.text("general.architecture")?;
        if architecture != "llama" {
            return Err(unsupported(format!("its architecture is {architecture}; llama is known")));
        }
        let count = |key: &str| file.count(&format!("llama.{key}"));
        let has = |key: &str| file.has(&format!("llama.{key}"));
        let (width, heads) = (count("embedding_length")?, count("attention.head_count")?);
        let kept_heads = if has("attention.head_count_kv") { count("attention.head_count_kv")? } else { heads };
        if !width.is_multiple_of(heads) || !heads.is_multiple_of(kept_heads) {
            return Err(damaged(format!("a width of {width} for {heads} heads, {kept_heads} kept, is none")));
        }
        let head = width / heads;
        let turned = if has("rope.dimension_count") { count("rope.dimension_count")? } else { head };
        if turned != head || !head.is_multiple_of(2) || has("rope.scaling.type") {
            return Err(unsupported("its positions are turned in another way (partly, or scaled)"));
        }
        let sizes = Self {
            width,
            hidden: count("feed_forward_length")?,
            heads,
            kept_heads,
            head,
            vocabulary: file.tensor("token_embd.weight")?.outputs,
            context: count("context_length")?.min(MOST_TOKENS),
            epsilon: file.real("llama.attention.layer_norm_rms_epsilon")?,
            base: if has("rope.freq_base") { file.real("llama.rope.freq_base")? } else { 10_000.0 },
        };
        let layers = count("block_count")?;
        if layers > MOST_LAYERS {
            return Err(damaged(format!("it promises {layers} layers")));
        }
        Ok((sizes, layers))
    }
}

impl Layer {
    fn load<R: Read + Seek>(file: &mut GgufFile<R>, sizes: &Sizes, layer: usize) -> Result<Self, GgufError> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        if file.has_tensor(&format!("blk.{layer}.attn_q.bias")) || file.has_tensor(&name("ffn_gate_inp")) {
            return Err(unsupported("its layers have biases or experts"));
        }
        let (width, hidden, kept) = (sizes.width, sizes.hidden, sizes.kept_heads * sizes.head);
        Ok(Self {
            attention_norm: vector(file, &name("attn_norm"), width)?,
            q: Matrix::load(file, &name("attn_q"), width, width)?,
            k: Matrix::load(file, &name("attn_k"), kept, width)?,
            v: Matrix::load(file, &name("attn_v"), kept, width)?,
            out: Matrix::load(file, &name("attn_output"), width, width)?,
            feed_norm: vector(file, &name("ffn_norm"), width)?,
            gate: Matrix::load(file, &name("ffn_gate"), hidden, width)?,
            up: Matrix::load(file, &name("ffn_up"), hidden, width)?,
            down: Matrix::load(file, &name("ffn_down"), width, hidden)?,
        })
    }
}

fn vector<R: Read + Seek>(file: &mut GgufFile<R>, name: &str, width: usize) -> Result<Vec<f32>, GgufError> {
    let tensor = file.tensor(name)?;
    let precision = tensor.precision;
    if tensor.inputs * tensor.outputs != width || !width.is_multiple_of(BLOCK) {
        return Err(damaged(format!("tensor {name} has {} numbers where {width} are wanted", tensor.inputs)));
    }
    let bytes = file.bytes(name)?;
    let floats: Vec<f32> =
        bytes.chunks_exact(precision.bytes(BLOCK)).flat_map(|bytes| precision.floats(bytes)).collect();
    match floats.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(damaged(format!("tensor {name} holds {} at {at}", floats[at]))),
        None => Ok(floats),
    }
}

impl Llama {
    /// Loads a model.
    ///
    /// # Errors
    /// [`GgufError`].
    pub fn load<R: Read + Seek>(file: &mut GgufFile<R>) -> Result<Self, GgufError> {
        let (sizes, layers) = Sizes::read(file)?;
        let embedding = Matrix::load(file, "token_embd.weight", sizes.vocabulary, sizes.width)?;
        let layers = (0..layers).map(|layer| Layer::load(file, &sizes, layer)).collect::<Result<_, _>>()?;
        let norm = vector(file, "output_norm.weight", sizes.width)?;
        let own = file.has_tensor("output.weight");
        let output = own.then(|| Matrix::load(file, "output.weight", sizes.vocabulary, sizes.width)).transpose()?;
        Ok(Self { sizes, embedding, layers, norm, output })
    }

    /// Tokens that it knows.
    #[must_use]
    pub const fn vocabulary(&self) -> usize {
        self.sizes.vocabulary
    }

    /// Tokens that it can read in all.
    #[must_use]
    pub const fn context(&self) -> usize {
        self.sizes.context
    }

    /// Reads on; gives the logits of what comes next, or none where there is no token to read, one that is not known, or no room.
    pub fn read<'a>(&self, tokens: &[u32], state: &'a mut State) -> Option<&'a [f32]> {
        let known = tokens.iter().all(|token| (*token as usize) < self.sizes.vocabulary);
        if tokens.is_empty() || !known || state.tokens + tokens.len() > self.sizes.context {
            return None;
        }
        state.keys.resize_with(self.layers.len(), Vec::new);
        state.values.resize_with(self.layers.len(), Vec::new);
        for chunk in tokens.chunks(CHUNK) {
            self.pass(chunk, state);
        }
        Some(self.logits(&mut state.buffers))
    }

    fn pass(&self, tokens: &[u32], state: &mut State) {
        let (width, past) = (self.sizes.width, state.tokens);
        let b = &mut state.buffers;
        resize(&mut b.x, tokens.len() * width);
        for (token, x) in tokens.iter().zip(b.x.chunks_exact_mut(width)) {
            self.embedding.row(*token as usize, x);
        }
        let rotation = self.rotation(past, tokens.len());
        for ((layer, keys), values) in self.layers.iter().zip(&mut state.keys).zip(&mut state.values) {
            self.attend(layer, b, keys, values, past, &rotation);
            self.feed(layer, b);
        }
        state.tokens += tokens.len();
    }

    fn attend(
        &self,
        layer: &Layer,
        b: &mut Buffers,
        keys: &mut Vec<f32>,
        values: &mut Vec<f32>,
        past: usize,
        rotation: &[f32],
    ) {
        let Sizes { width, head, kept_heads, epsilon, .. } = self.sizes;
        let (rows, kept) = (b.x.len() / width, kept_heads * head);
        normalise(&b.x, &layer.attention_norm, epsilon, &mut b.normed);
        b.rounded.set(&b.normed, width);
        multiply(&layer.q, &b.rounded, &mut b.q);
        multiply(&layer.k, &b.rounded, &mut b.k);
        multiply(&layer.v, &b.rounded, &mut b.v);
        rotate(&mut b.q, head, width, rotation);
        rotate(&mut b.k, head, kept, rotation);
        keys.truncate(past * kept);
        values.truncate(past * kept);
        keys.extend_from_slice(&b.k);
        values.extend_from_slice(&b.v);
        resize(&mut b.mixed, rows * width);
        self.mix(b, keys, values, past);
        b.rounded.set(&b.mixed, width);
        multiply(&layer.out, &b.rounded, &mut b.branch);
        add(&mut b.x, &b.branch);
    }

    /// From queries and what is kept to `mixed`.
    fn mix(&self, b: &mut Buffers, keys: &[f32], values: &[f32], past: usize) {
        let Sizes { width, head, heads, kept_heads, .. } = self.sizes;
        let (rows, kept) = (b.q.len() / width, kept_heads * head);
        let all = past + rows;
        let scale = 1.0 / (head as f32).sqrt();
        resize(&mut b.scores, rows * all);
        for h in 0..heads {
            let from = h / (heads / kept_heads) * head;
            let (k, v) = (Mat::strided(&keys[from..], all, head, kept), Mat::strided(&values[from..], all, head, kept));
            let q = Mat::strided(&b.q[h * head..], rows, head, width);
            matmul(MatMut::dense(&mut b.scores, rows, all), q, k.t(), scale, Store::Overwrite);
            vectorized(|| {
                for (row, scores) in b.scores.chunks_exact_mut(all).enumerate() {
                    let (seen, unseen) = scores.split_at_mut(past + row + 1);
                    softmax(seen);
                    unseen.fill(0.0);
                }
            });
            let scores = Mat::dense(&b.scores, rows, all);
            matmul(MatMut::strided(&mut b.mixed[h * head..], rows, head, width), scores, v, 1.0, Store::Overwrite);
        }
    }

    fn feed(&self, layer: &Layer, b: &mut Buffers) {
        let Sizes { width, hidden, epsilon, .. } = self.sizes;
        normalise(&b.x, &layer.feed_norm, epsilon, &mut b.normed);
        b.rounded.set(&b.normed, width);
        multiply(&layer.gate, &b.rounded, &mut b.gate);
        multiply(&layer.up, &b.rounded, &mut b.up);
        vectorized(|| b.gate.iter_mut().zip(&b.up).for_each(|(gate, up)| *gate = silu(*gate) * up));
        b.rounded.set(&b.gate, hidden);
        multiply(&layer.down, &b.rounded, &mut b.branch);
        add(&mut b.x, &b.branch);
    }

    /// Of the last token read.
    fn logits<'a>(&self, b: &'a mut Buffers) -> &'a [f32] {
        let width = self.sizes.width;
        let last = b.x.len() - width;
        normalise(&b.x[last..], &self.norm, self.sizes.epsilon, &mut b.normed);
        b.rounded.set(&b.normed, width);
        multiply(self.output.as_ref().unwrap_or(&self.embedding), &b.rounded, &mut b.logits);
        &b.logits
    }

    /// Per token, cos and sin of each pair.
    fn rotation(&self, past: usize, rows: usize) -> Vec<f32> {
        let (head, base) = (self.sizes.head, f64::from(self.sizes.base));
        let pair = |t: usize, i: usize| {
            let (sin, cos) = (t as f64 * base.powf(-((2 * i) as f64) / head as f64)).sin_cos();
            [cos as f32, sin as f32]
        };
        (past..past + rows).flat_map(|t| (0..head / 2).flat_map(move |i| pair(t, i))).collect()
    }
}

fn multiply(matrix: &Matrix, x: &Rounded, y: &mut Vec<f32>) {
    resize(y, x.scales.len() * matrix.outputs);
    matrix.product(x, y);
}

fn normalise(x: &[f32], gain: &[f32], epsilon: f32, y: &mut Vec<f32>) {
    resize(y, x.len());
    rms_norm::normalise(x, gain, epsilon, y);
}

/// Turns the pairs of every head of every token.
fn rotate(x: &mut [f32], head: usize, width: usize, rotation: &[f32]) {
    for (x, rotation) in x.chunks_exact_mut(width).zip(rotation.chunks_exact(head)) {
        for x in x.chunks_exact_mut(head) {
            for (pair, turn) in x.chunks_exact_mut(2).zip(rotation.chunks_exact(2)) {
                let (a, b) = (pair[0], pair[1]);
                pair[0] = a * turn[0] - b * turn[1];
                pair[1] = a * turn[1] + b * turn[0];
            }
        }
    }
}
