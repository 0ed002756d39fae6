//! What a rule is told to remember, checked, and under which keys it does.

use crate::columns::{Columns, Registry};
use crate::config::RuleSettings;
use crate::duration::Duration;
use crate::watch::{Watch, What};
use wasmill_expr::{Fields, Value};
use wasmill_sdk::check_path;
use wasmill_sdk::state::hash;

/// The shortest window or absence: one second.
const WITHIN_MIN_NS: i64 = 1_000_000_000;
/// Values that a distinct rate tells apart; so long is an entry in state.
pub(crate) const DISTINCT_MAX: u32 = 500;

/// Bytes before each key in state.
pub(crate) const PREFIX_BYTES: usize = 8;

/// What a rule remembers, and where.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) watch: Watch,
    /// Before each of its keys in state: another one once the rule counts something else.
    pub(crate) prefix: [u8; PREFIX_BYTES],
    /// The slot of the field whose values a distinct rate counts.
    value: Option<usize>,
}

impl Memory {
    /// What the rule has to remember; `None`: nothing.
    ///
    /// # Errors
    /// A sentence about the rule.
    #[inline(never)]
    pub(crate) fn compile(settings: &RuleSettings, registry: &mut Registry) -> Result<Option<Self>, String> {
        let (what, within, field) = match (&settings.rate, &settings.distinct, &settings.absent) {
            (None, None, None) => (What::Every, None, ""),
            (Some(rate), None, None) => (What::Rate(rate.more_than.into()), Some(("rate", rate.within)), ""),
            (None, Some(distinct), None) => {
                (What::Distinct(distinct.more_than), Some(("distinct", distinct.within)), distinct.field.as_str())
            }
            (None, None, Some(absent)) => (What::Absent, Some(("absent", absent.within)), ""),
            _ => {
                return Err("it has more than one of `rate`, `distinct` and `absent`; write a rule for each".to_owned());
            }
        };
        if let Some((name, Duration { ns })) = within
            && ns < WITHIN_MIN_NS
        {
            return Err(format!("its `{name}.within` is shorter than a second, the shortest that is told apart"));
        }
        let within_ns = within.map_or(0, |(_, within)| within.ns);
        // Else a lasting flood would be an alert with each of its events.
        let is_rate = matches!(what, What::Rate(_) | What::Distinct(_));
        let quiet_ns = settings.quiet.map_or(if is_rate { within_ns } else { 0 }, |quiet| quiet.ns);
        if what == What::Every && quiet_ns == 0 {
            return Ok(None);
        }
        let value = match what {
            What::Distinct(more_than) => Some(value(field, more_than, registry)?),
            _ => None,
        };
        let prefix = prefix(settings, what, within_ns, field).to_le_bytes();
        Ok(Some(Memory { watch: Watch::new(what, within_ns, quiet_ns), prefix, value }))
    }

    /// The hash of the value that is counted; 0 where none is. `None`: the event has none, and does not count.
    pub(crate) fn value(&self, columns: &Columns<'_>) -> Option<u64> {
        let Some(slot) = self.value else { return Some(0) };
        columns.token(slot).map(hash_of)
    }
}

/// A text's hash is that of its characters, however they are spelt; any other value's, and that of what is too long to read, as it is
/// written.
fn hash_of(token: &str) -> u64 {
    let is_read = token.starts_with('"') && token.len() <= Columns::BYTES_MAX;
    let text = if is_read { Value::from_json(token).and_then(Value::text).ok() } else { None };
    hash(0, text.as_deref().unwrap_or(token).as_bytes())
}

fn value(field: &str, more_than: u32, registry: &mut Registry) -> Result<usize, String> {
    check_path(field).map_err(|why| format!("its `distinct.field` is wrong: {why}"))?;
    if more_than > DISTINCT_MAX {
        return Err(format!("its `distinct.more_than` is {more_than}; at most {DISTINCT_MAX} values are told apart"));
    }
    Ok(registry.json(field))
}

/// Of all that decides what is counted, so that what was counted before an edit is not taken for what is counted after it.
fn prefix(settings: &RuleSettings, what: What, within_ns: i64, field: &str) -> u64 {
    let kind = match what {
        What::Every => 0,
        What::Rate(_) => 1,
        What::Distinct(more_than) => u64::from(more_than) << 2 | 2,
        What::Absent => 3,
    };
    let key = settings.key.as_deref().unwrap_or_default();
    let texts = [&settings.name, &settings.when, key, field];
    texts.iter().fold(hash(kind, &within_ns.to_le_bytes()), |seed, text| hash(seed, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted_by_its_characters_and_one_that_is_too_long_as_it_is_written() {
        let hashes =
            |length: usize| ["a", r"\u0061"].map(|first| hash_of(&format!("\"{first}{}\"", "a".repeat(length))));
        let [plain, escaped] = hashes(Columns::BYTES_MAX - 8);
        assert_eq!(plain, escaped);
        let [plain, escaped] = hashes(Columns::BYTES_MAX - 7);
        assert_ne!(plain, escaped, "the latter has a byte more than is read");
    }
}
