//! `apportion interpret`.

use super::say;
use crate::{
    args,
    text_model::{self, TextModel},
};
use anyhow::Context as _;
use jiff::Zoned;
use std::io::BufRead as _;

/// Reads sentences from standard input, one a line, and prints one JSON object a line. Records nothing.
///
/// # Errors
/// `--now` is no time, or standard input cannot be read.
pub fn run(args: &args::Interpret) -> anyhow::Result<()> {
    let now = args.now.as_deref().map(time).transpose()?.unwrap_or_else(Zoned::now);
    let (reader, model) = (crate::encoder_model::reader()?, args.second.open()?);
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.context("standard input cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        let reading = reader.interpret_line(&line, &now, &args.workload);
        say(&match &model {
            Some(model) => with_second(model.as_ref(), &line, &reading, &args.workload)?,
            None => reading,
        });
    }
    Ok(())
}

/// A reading with what a larger model says of it as `second`.
fn with_second(model: &dyn TextModel, line: &str, reading: &str, names: &[String]) -> anyhow::Result<String> {
    let mut reading: serde_json::Value = serde_json::from_str(reading)?;
    reading["second"] = serde_json::to_value(text_model::second(model, line, &reading, names)?)?;
    Ok(reading.to_string())
}

/// RFC 3339 (an offset), or with a time zone in brackets.
pub(super) fn time(text: &str) -> anyhow::Result<Zoned> {
    let with_offset = || jiff::fmt::temporal::DateTimeParser::new().parse_timestamp(text).ok().zip(offset(text));
    text.parse::<Zoned>()
        .ok()
        .or_else(|| with_offset().map(|(at, offset)| at.to_zoned(offset.to_time_zone())))
        .with_context(|| format!("--now {text}: give a time such as 2026-11-23T09:00:00+08:00"))
}

/// The offset at the end of an RFC 3339 time.
fn offset(text: &str) -> Option<jiff::tz::Offset> {
    jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text).ok()?.to_numeric_offset()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_offset() {
        for (text, shown) in [
            ("2026-11-23T09:00:00+08:00", "2026-11-23T09:00:00+08:00[+08:00]"),
            ("2026-11-23T01:00:00Z", "2026-11-23T01:00:00+00:00[UTC]"),
            ("2026-11-23T09:00:00[Asia/Shanghai]", "2026-11-23T09:00:00+08:00[Asia/Shanghai]"),
        ] {
            assert_eq!(time(text).unwrap().to_string(), shown);
        }
        assert!(time("tomorrow").is_err());
    }
}
