//! What a Prometheus server answers, as its HTTP API documents it. Pure: bytes in, series out.

use apportion_core::Time;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// An answer of the query API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// One per set of labels.
    pub series: Vec<AnswerSeries>,
    /// Series of native histograms, which are not read.
    pub histograms: usize,
    /// What the server found doubtful.
    pub warnings: Vec<String>,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerSeries {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Values by time; not finite where the server has no number.
    pub points: Vec<(Time, f64)>,
}

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is not JSON, or not the JSON of this API.
    #[error("line {line}, column {column}: {what}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was wrong there.
        what: String,
        /// True when the answer breaks off.
        is_truncated: bool,
    },
    /// The server says that it cannot answer.
    #[error("{kind}: {message}")]
    Refused {
        /// Prometheus' own name of the kind (`bad_data`, `timeout`, `execution`).
        kind: String,
        /// Its words.
        message: String,
    },
    /// The query gives no series.
    #[error("the query gives a {kind}, not series: wrap it in vector()")]
    NotSeries {
        /// `scalar` or `string`.
        kind: String,
    },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default, rename = "errorType")]
    error_type: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Vec<Element>,
}

/// A series, or one half of a scalar.
enum Element {
    Series(Item),
    Other,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<Point>,
    #[serde(default)]
    values: Option<Vec<Point>>,
    #[serde(default)]
    histogram: Option<IgnoredAny>,
    #[serde(default)]
    histograms: Option<IgnoredAny>,
}

/// `[1435781430.781, "1"]`
#[derive(Clone, Copy, Deserialize)]
struct Point(f64, Value);

#[derive(Clone, Copy)]
struct Value(f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                text.parse().map(Value).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
                Ok(Value(value))
            }
            #[allow(clippy::cast_precision_loss, reason = "a value of telemetry")]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value(value as f64))
            }
            #[allow(clippy::cast_precision_loss, reason = "a value of telemetry")]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value(value as f64))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Element;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a series, or the time and value of a scalar")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                Item::deserialize(de::value::MapAccessDeserializer::new(map)).map(Element::Series)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Element, A::Error> {
                Err(de::Error::invalid_type(de::Unexpected::Seq, &self))
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Element, E> {
                Ok(Element::Other)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Element, E> {
                Ok(Element::Other)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Element, E> {
                Ok(Element::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Reads an answer of `/api/v1/query` or `/api/v1/query_range`.
///
/// # Errors
/// [`AnswerError`]
pub fn parse_answer(bytes: &[u8]) -> Result<Answer, AnswerError> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
    if envelope.status != "success" {
        let kind = envelope.error_type.unwrap_or_else(|| envelope.status.into_owned());
        let message = envelope.error.unwrap_or_else(|| "without a message".to_owned());
        return Err(AnswerError::Refused { kind, message });
    }
    let missing = || AnswerError::Malformed {
        line: 1,
        column: 1,
        what: "status is success and there is no data".to_owned(),
        is_truncated: false,
    };
    let data = envelope.data.ok_or_else(missing)?;
    if data.kind != "vector" && data.kind != "matrix" {
        return Err(AnswerError::NotSeries { kind: data.kind });
    }
    let mut answer = Answer { warnings: envelope.warnings.unwrap_or_default(), ..Answer::default() };
    for element in data.result {
        let Element::Series(item) = element else { return Err(AnswerError::NotSeries { kind: data.kind }) };
        if item.histogram.is_some() || item.histograms.is_some() {
            answer.histograms += 1;
        }
        let points = item.values.unwrap_or_default().into_iter().chain(item.value);
        let points: Vec<_> = points.map(|Point(seconds, Value(value))| (time(seconds), value)).collect();
        if !points.is_empty() {
            answer.series.push(AnswerSeries { labels: item.metric, points });
        }
    }
    Ok(answer)
}

#[allow(clippy::cast_possible_truncation, reason = "saturates far beyond any time")]
fn time(seconds: f64) -> Time {
    Time((seconds * 1_000.0).round() as i64)
}

#[allow(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn malformed(error: serde_json::Error) -> AnswerError {
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default().to_owned();
    AnswerError::Malformed { line: error.line(), column: error.column(), what, is_truncated: error.is_eof() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_matrices() {
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"pod":"a"},"value":[1.5,"2.5"]},{"metric":{},"value":[2,"NaN"]},{"metric":{},"value":[2,"+Inf"]}
            ]},"warnings":["odd"]}"#;
        let answer = parse_answer(vector).unwrap();
        assert_eq!(answer.series[0].labels["pod"], "a");
        assert_eq!(answer.series[0].points, [(Time(1_500), 2.5)]);
        assert!(answer.series[1].points[0].1.is_nan() && answer.series[2].points[0].1.is_infinite());
        assert_eq!(answer.warnings, ["odd"]);
        let matrix = br#"{"data":{"result":[{"values":[[1,"1"],[2,"2"]],"metric":{}}],"resultType":"matrix"},"status":"success"}"#;
        assert_eq!(parse_answer(matrix).unwrap().series[0].points, [(Time(1_000), 1.0), (Time(2_000), 2.0)]);
    }

    #[test]
    fn histograms_are_counted_and_not_read() {
        let answer = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{},"histogram":[1,{"count":"1","sum":"2"}]}]}}"#;
        assert_eq!(parse_answer(answer).unwrap(), Answer { histograms: 1, ..Answer::default() });
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let check = |bytes: &str, expect: &str| {
            let error = parse_answer(bytes.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "bad_data: parse error");
        check(r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#, "a scalar, not series");
        check(r#"{"status":"success"}"#, "there is no data");
        check(r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"lots"]}]}}"#, "\"lots\"");
        check("<html>", "line 1, column 1");
        check(r#"{"status":"succ"#, "EOF");
    }
}
