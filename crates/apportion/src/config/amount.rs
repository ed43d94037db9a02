//! Amounts in the configuration: a number, or a number with a unit.

use apportion_core::knob::Bounds;
use serde::Deserialize;

/// A number in the knob's base unit, or text such as "256Mi" or "1.5 GB".
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Amount {
    Number(f64),
    Text(String),
}

/// Suffixes and their factors; longer ones first, so that "Mi" is not read as "M".
const UNITS: &[(&str, f64)] = &[
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("k", 1e3),
    ("K", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("m", 1e-3),
];

impl Amount {
    fn value(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Text(text) => parse(text),
        }
        .filter(|value| value.is_finite() && *value >= 0.0)
    }
}

fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text.strip_suffix("/s").unwrap_or(text);
    let text = text.strip_suffix('B').unwrap_or(text).trim_end();
    let unit = UNITS.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (number, factor) = unit.map_or((text, 1.0), |(suffix, factor)| (&text[..text.len() - suffix.len()], *factor));
    number.trim().parse::<f64>().ok().map(|number| number * factor)
}

/// `[least]` or `[least, most]`.
pub(super) fn bounds(range: &[Amount]) -> Option<Bounds> {
    let values: Vec<f64> = range.iter().map(Amount::value).collect::<Option<_>>()?;
    match values[..] {
        [min] => Some(Bounds { min, max: None }),
        [min, max] if min <= max && max > 0.0 => Some(Bounds { min, max: Some(max) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_with_units() {
        let check = |text, value| assert_eq!(parse(text), value, "{text}");
        check("256Mi", Some(268_435_456.0));
        check("2 GiB", Some(2_147_483_648.0));
        check("1.5GB", Some(1.5e9));
        check("500m", Some(0.5));
        check("10 MB/s", Some(1e7));
        check("4", Some(4.0));
        check("four", None);
        check("", None);
    }
}
