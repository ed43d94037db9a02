//! Reads all of a file that can be read, and says everything that cannot be: one run of `apportion check` shows every fault.

use super::{Fault, File, line_of};
use serde::Deserialize as _;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Deserializer, Error},
};

/// What can be read, and the faults of the rest. Where the text is no TOML, which keys it has cannot be told.
pub(super) fn read(text: &str) -> (File, Vec<Fault>) {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors.iter().map(|error| fault(text, error)).collect();
    while errors.is_empty() {
        let error = match File::deserialize(Deserializer::from(table.clone())) {
            Ok(file) => return (file, faults),
            Err(error) => error,
        };
        faults.push(fault(text, &error));
        if !error.span().is_some_and(|span| take_out_of_table(table.get_mut(), span.start)) {
            break;
        }
    }
    (File::default(), faults)
}

/// The line of a key at the top of the file; the first one where it is not there.
pub(super) fn line_of_key(text: &str, key: &str) -> usize {
    let (table, _) = DeTable::parse_recoverable(text);
    let at = table.get_ref().keys().find(|known| known.get_ref() == key).map(|known| known.span().start);
    at.map_or(1, |at| line_of(text, at))
}

fn fault(text: &str, error: &Error) -> Fault {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    let remedy = "`apportion check --keys` prints every key with its default, unit and range".to_owned();
    Fault { line, what: error.message().replace('\n', " "), remedy }
}

/// Takes out the innermost entry whose key or value stands at a byte; false where there is none.
fn take_out_of_table(table: &mut DeTable<'_>, at: usize) -> bool {
    if table.iter_mut().any(|(_, value)| take_out(value, at)) {
        return true;
    }
    let is_it = |(key, value): &(&Spanned<_>, &Spanned<_>)| key.span().contains(&at) || value.span().contains(&at);
    let found = table.iter().find(is_it).map(|(key, _)| key.get_ref().to_string());
    found.is_some_and(|key| table.remove(key.as_str()).is_some())
}

fn take_out<'text>(value: &mut Spanned<DeValue<'text>>, at: usize) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => take_out_of_table(table, at),
        DeValue::Array(items) => {
            if items.iter_mut().any(|item| take_out(item, at)) {
                return true;
            }
            let before = items.len();
            let kept: DeArray<'text> = items.iter().filter(|item| !item.span().contains(&at)).cloned().collect();
            *items = kept;
            items.len() < before
        }
        _ => false,
    }
}
