//! All weights of a network in one flat `Vec<f32>`: the optimiser, the running average, checkpoints and the reduction
//! of gradients then need one loop each, whatever the network.

use crate::rng::Rng;

/// Where one tensor lies in the flat array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    offset: usize,
    len: usize,
}

impl Slot {
    pub(crate) fn of<'a>(&self, flat: &'a [f32]) -> &'a [f32] {
        &flat[self.offset..self.offset + self.len]
    }

    pub(crate) fn of_mut<'a>(&self, flat: &'a mut [f32]) -> &'a mut [f32] {
        &mut flat[self.offset..self.offset + self.len]
    }
}

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Init {
    Zero,
    One,
    /// Normal with this standard deviation.
    Normal(f32),
}

/// One named tensor.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) slot: Slot,
    init: Init,
}

/// The names and shapes of a network's tensors, in the order of the flat array.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    specs: Vec<Spec>,
    len: usize,
}

impl Layout {
    pub(crate) fn add(&mut self, name: impl Into<String>, shape: &[usize], init: Init) -> Slot {
        let slot = Slot { offset: self.len, len: shape.iter().product() };
        self.len += slot.len;
        self.specs.push(Spec { name: name.into(), shape: shape.to_vec(), slot, init });
        slot
    }

    /// Parameters in all.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn specs(&self) -> &[Spec] {
        &self.specs
    }

    /// Fresh weights; the same seed gives the same weights.
    pub(crate) fn init(&self, seed: u64) -> Vec<f32> {
        let mut rng = Rng::new(seed);
        let mut flat = vec![0.0; self.len];
        for spec in &self.specs {
            for weight in spec.slot.of_mut(&mut flat) {
                *weight = match spec.init {
                    Init::Zero => 0.0,
                    Init::One => 1.0,
                    Init::Normal(deviation) => rng.normal() * deviation,
                };
            }
        }
        flat
    }

    /// 1 where weight decay applies (matrices), 0 where it does not (gains and biases).
    pub(crate) fn decay_mask(&self) -> Vec<f32> {
        let mut mask = vec![0.0; self.len];
        for spec in self.specs.iter().filter(|spec| spec.shape.len() > 1) {
            spec.slot.of_mut(&mut mask).fill(1.0);
        }
        mask
    }
}
