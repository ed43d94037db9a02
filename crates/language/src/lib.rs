//! Sentences in and out: instruction reading and the wording of explanations.
