//! The parts of a reading that a person can be asked about, in their language.

use super::Reading;
use crate::Language;

/// A part that is believed less than this is named where a reading is not sure.
const CLEAR: f32 = 0.98;

/// A part of a reading.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Kind,
    Workload,
    Resource,
    Bound,
    Amount,
    Direction,
    Urgency,
    Importance,
}

impl Part {
    pub(super) const fn words(self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            Self::Kind => ("what it asks for", "要做什么"),
            Self::Workload => ("which workload", "哪个服务"),
            Self::Resource => ("which resource", "哪种资源"),
            Self::Bound => ("at least or at most", "上限还是下限"),
            Self::Amount => ("how much", "数量"),
            Self::Direction => ("more or less", "增还是减"),
            Self::Urgency => ("how urgent", "轻重"),
            Self::Importance => ("how important", "重要程度"),
        };
        match language {
            Language::En => english,
            Language::Zh => chinese,
        }
    }
}

impl Reading {
    /// Weighs the reading by the belief in a part, and names the part where that is little.
    pub(super) fn believe(&mut self, belief: f32, part: Part) {
        self.confidence *= belief;
        if belief < CLEAR {
            self.doubted.push(part.words(self.language).to_owned());
        }
    }

    /// The same of a word that is a name or none.
    pub(super) fn believe_word(&mut self, belief: f32, word: &str) {
        self.confidence *= belief;
        if belief < CLEAR {
            self.doubted.push(format!("“{word}”"));
        }
    }
}
