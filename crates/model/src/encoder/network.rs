//! BERT (Devlin et al. 2019): embeddings, then per layer `x = LN(x + O attention(x))`, `x = LN(x + W₂ gelu(W₁ x))`.
//!
//! x `[tokens, width]`. Per head of width w: `P = softmax(q kᵀ / √w)`, every token sees every token.

use super::EncoderError;
use super::file::{Config, File};
use crate::layers::activation::{gelu, softmax};
use crate::layers::layer_norm::LayerNorm;
use crate::layers::q4::{BLOCK, BLOCK_BYTES, Q4Matrix, RoundedRows, unpack};
use crate::layers::{add, vectorized};

#[derive(Debug)]
pub(super) struct Network {
    pub(super) config: Config,
    /// Position embeddings, the token type's added.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    q: Q4Matrix,
    k: Q4Matrix,
    v: Q4Matrix,
    out: Q4Matrix,
    attention_norm: LayerNorm,
    rise: Q4Matrix,
    fall: Q4Matrix,
    norm: LayerNorm,
}

/// Buffers of one pass.
#[derive(Debug, Default)]
struct Buffers {
    rounded: RoundedRows,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    turned: Vec<f32>,
    scores: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
}

impl Network {
    pub(super) fn load(file: &File<'_>, bytes: &[u8]) -> Result<Self, EncoderError> {
        let config = file.config;
        let width = config.width;
        let kind = file.floats("emb.type", config.kinds * width)?;
        let mut positions = file.floats("emb.pos", config.positions * width)?;
        positions.chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&kind).for_each(|(to, kind)| *to += kind));
        let loader = Loader { file, bytes };
        let norm = loader.norm("emb.ln")?;
        let layers: Result<Vec<Layer>, _> = (0..config.layers).map(|k| loader.layer(k)).collect();
        Ok(Self { config, positions, norm, layers: layers? })
    }

    /// The stream after every layer, by number (the embeddings' is 0), goes to `tap`; `words` is their embedding.
    pub(super) fn forward(&self, words: &[u8], ids: &[u32], tap: &mut dyn FnMut(usize, &[f32])) {
        let mut x = self.embed(words, ids);
        tap(0, &x);
        let mut buffers = Buffers::default();
        for (k, layer) in self.layers.iter().enumerate() {
            layer.forward(&mut x, &mut buffers, self.config);
            tap(k + 1, &x);
        }
    }

    fn embed(&self, words: &[u8], ids: &[u32]) -> Vec<f32> {
        let width = self.config.width;
        let bytes = width / BLOCK * BLOCK_BYTES;
        let mut x = vec![0.0; ids.len() * width];
        let places = x.chunks_exact_mut(width).zip(self.positions.chunks_exact(width)).zip(ids);
        for ((row, position), id) in places {
            let blocks = words[*id as usize * bytes..][..bytes].chunks_exact(BLOCK_BYTES);
            blocks.zip(row.chunks_exact_mut(BLOCK)).for_each(|(block, out)| unpack(block, out));
            row.iter_mut().zip(position).for_each(|(x, p)| *x += p);
        }
        self.norm.apply(&mut x);
        x
    }
}

/// Reads layers of a file.
struct Loader<'a> {
    file: &'a File<'a>,
    bytes: &'a [u8],
}

impl Loader<'_> {
    fn norm(&self, name: &str) -> Result<LayerNorm, EncoderError> {
        let part = |part: &str| self.file.floats(&format!("{name}.{part}"), self.file.config.width);
        Ok(LayerNorm { gain: part("w")?, bias: part("b")?, epsilon: self.file.config.epsilon })
    }

    fn matrix(&self, name: &str, outputs: usize, inputs: usize) -> Result<Q4Matrix, EncoderError> {
        let blocks = self.file.blocks(&format!("{name}.w"), outputs * inputs)?;
        let bias = self.file.floats(&format!("{name}.b"), outputs)?;
        Ok(Q4Matrix::new(&self.bytes[blocks], bias, inputs))
    }

    fn layer(&self, k: usize) -> Result<Layer, EncoderError> {
        let Config { width, feed, .. } = self.file.config;
        let square = |part: &str| self.matrix(&format!("l{k}.{part}"), width, width);
        Ok(Layer {
            q: square("q")?,
            k: square("k")?,
            v: square("v")?,
            out: square("ao")?,
            attention_norm: self.norm(&format!("l{k}.aln"))?,
            rise: self.matrix(&format!("l{k}.fi"), feed, width)?,
            fall: self.matrix(&format!("l{k}.fo"), width, feed)?,
            norm: self.norm(&format!("l{k}.oln"))?,
        })
    }
}

impl Layer {
    fn forward(&self, x: &mut [f32], buffers: &mut Buffers, config: Config) {
        let Buffers { rounded, q, k, v, turned, scores, mixed, wide } = buffers;
        rounded.round(x);
        for (matrix, out) in [(&self.q, &mut *q), (&self.k, &mut *k), (&self.v, &mut *v)] {
            product(matrix, rounded, x.len(), config.width, out);
        }
        mixed.resize(x.len(), 0.0);
        let tokens = Tokens { width: config.width, head: config.width / config.heads };
        vectorized(
            #[inline(always)]
            || tokens.mix(q, [k, v], turned, scores, mixed),
        );
        rounded.round(mixed);
        product(&self.out, rounded, x.len(), config.width, q);
        add(x, q);
        self.attention_norm.apply(x);
        rounded.round(x);
        product(&self.rise, rounded, x.len(), config.width, wide);
        vectorized(
            #[inline(always)]
            || {
                for x in wide.iter_mut() {
                    *x = gelu(*x);
                }
            },
        );
        rounded.round(wide);
        product(&self.fall, rounded, wide.len(), config.feed, q);
        add(x, q);
        self.norm.apply(x);
    }
}

/// A product into a buffer that is made large enough; `length` numbers of rows `inputs` wide went into `rounded`.
fn product(matrix: &Q4Matrix, rounded: &RoundedRows, length: usize, inputs: usize, out: &mut Vec<f32>) {
    out.resize(length / inputs * matrix.outputs(), 0.0);
    matrix.product(rounded, out);
}

/// Numbers that are worked on side by side; a head's width is a multiple of it.
const LANES: usize = 8;

/// The shape of rows of tokens.
#[derive(Clone, Copy)]
struct Tokens {
    width: usize,
    head: usize,
}

impl Tokens {
    /// `mixed = softmax(q kᵀ / √w) v` for every head; q is scaled, `turned` and `scores` are buffers.
    #[inline(always)]
    fn mix(self, q: &mut [f32], [k, v]: [&[f32]; 2], turned: &mut Vec<f32>, scores: &mut Vec<f32>, mixed: &mut [f32]) {
        let (width, head) = (self.width, self.head);
        let tokens = q.len() / width;
        // kᵀ, so that a query meets eight keys at once; columns up to a multiple of eight are zero.
        let columns = tokens.next_multiple_of(LANES);
        turned.clear();
        turned.resize(width * columns, 0.0);
        for token in 0..tokens {
            for at in 0..width {
                turned[at * columns + token] = k[token * width + at];
            }
        }
        let scale = 1.0 / (head as f32).sqrt();
        for q in &mut *q {
            *q *= scale;
        }
        scores.resize(columns, 0.0);
        for token in 0..tokens {
            for at in (0..width).step_by(head) {
                let place = token * width + at;
                weighted_sums(&q[place..][..head], &turned[at * columns..], columns, scores);
                softmax(&mut scores[..tokens]);
                weighted_sums(&scores[..tokens], &v[at..], width, &mut mixed[place..][..head]);
            }
        }
    }
}

/// `sums[j] = Σ_k weights[k] · rows[k · stride + j]`; as many sums as are a multiple of eight.
#[inline(always)]
fn weighted_sums(weights: &[f32], rows: &[f32], stride: usize, sums: &mut [f32]) {
    for (chunk, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut kept = [0.0; LANES];
        for (k, weight) in weights.iter().enumerate() {
            let row = &rows[k * stride + chunk * LANES..][..LANES];
            for lane in 0..LANES {
                kept[lane] += weight * row[lane];
            }
        }
        *sums = kept;
    }
}
