//! Hostile events: every way in which an event can be wrong that may come to a plugin, made for the fields that it reads.
//!
//! [`events`] is one list, always the same for the same fields: payloads that are no event at all, which the host refuses before any
//! plugin (each with its code), then what is an object and odd as a whole, then each field in turn with values that do not fit it or
//! only just do, then times. The other fields of an event hold what fits their kinds, or what a sample has, so that a plugin gets as far
//! as the field in question. `wasmill plugin pipe` runs them for the test harness.
//!
//! Deliberately absent: chance. What a seed finds belongs into a property of the plugin's own tests.

mod payload;
mod values;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wasmill_core::{DEPTH_MAX, Field, FieldKind, PATH_KEYS_MAX};

pub use payload::with;
use payload::{duplicated, with_member};

/// Most bytes of a payload, as in a pipeline by default (`batch.event_bytes_max`).
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// So many fields are given each value there is; more get only those of other types, so that the list stays small.
const FIELDS_IN_FULL: usize = 24;
/// So many fields are given values of hundreds of kilobytes.
const FIELDS_WITH_LONG: usize = 4;
/// Arrays inside each other, where they are meant to be too many by far.
const TOO_DEEP: usize = 50_000;
/// Members of an object that is wide.
const WIDE: usize = 10_000;

/// A hostile event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// What is wrong with it, for people: `n: 9223372036854775808`. Names of fields are as the plugin wrote them.
    pub what: String,
    /// Its payload; `None` for a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The time of its record, nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// The code with which the host refuses it; `None`: it comes to the plugin.
    pub code: Option<&'static str>,
}

impl Hostile {
    fn new(what: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { what: what.into(), payload: Some(payload.into()), timestamp_ns: 0, code: None }
    }

    fn refused(code: &'static str, what: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { code: Some(code), ..Self::new(what, payload) }
    }

    fn at(timestamp_ns: i64, payload: &[u8]) -> Self {
        Self { timestamp_ns, ..Self::new(format!("a record of the time {timestamp_ns} ns"), payload) }
    }
}

/// The hostile events for a plugin that reads these fields.
///
/// ```
/// use wasmill::torture;
/// use wasmill_core::{Field, FieldKind};
///
/// let n = Field { path: "n".parse().ok(), kind: FieldKind::Integer, required: false, lookup: None };
/// let events = torture::events(&[n]);
/// assert!(events.iter().any(|event| event.payload.as_deref() == Some(br#"{"n":9223372036854775808}"#)));
/// ```
pub fn events(reads: &[Field]) -> Vec<Hostile> {
    events_like(reads, &sample(reads))
}

/// The same, made by spoiling `sample`, an event that the plugin takes: it gets further with values that it knows.
pub fn events_like(reads: &[Field], sample: &Value) -> Vec<Hostile> {
    let harmless = sample.to_string();
    let untouched = || Hostile::new("nothing", harmless.as_bytes());
    let mut events = vec![untouched()];
    events.extend(no_events(harmless.as_bytes()));
    events.extend(odd_objects(&harmless, sample));
    let fields = fields(reads, sample);
    for (n, keys) in fields.iter().enumerate() {
        events.extend(of_field(n, keys, sample));
    }
    events.extend(parents(&fields).iter().flat_map(|keys| of_parent(keys, sample)));
    events.extend(values::TIMES_NS.map(|time| Hostile::at(time, harmless.as_bytes())));
    events.push(untouched());
    events
}

/// An event with a value of its kind in every field; with one of each type for a plugin that reads whole payloads.
pub fn sample(reads: &[Field]) -> Value {
    let mut sample = json!({});
    if reads.iter().any(|field| field.kind == FieldKind::Raw) {
        sample =
            json!({ "boolean": true, "list": [1, "b", null], "number": 7, "object": { "a": 0.25 }, "text": "text" });
    }
    for field in reads {
        let value = match (field.lookup, field.kind) {
            (Some(_), _) => json!("192.0.2.7"),
            (None, FieldKind::Text) => json!("text"),
            (None, FieldKind::Integer) => json!(7),
            (None, FieldKind::Float) => json!(0.25),
            (None, FieldKind::Boolean) => json!(true),
            (None, FieldKind::Json | FieldKind::Raw) => json!({ "a": [1, "b", null] }),
        };
        let Some(path) = &field.path else { continue };
        let place = path.keys().iter().fold(&mut sample, |object, key| {
            if !object.is_object() {
                *object = json!({});
            }
            &mut object[key]
        });
        // What is read as an object too has its members already.
        if place.is_null() {
            *place = value;
        }
    }
    sample
}

/// The keys of each field, once; of a plugin that reads whole payloads the members of the sample are fields too.
fn fields(reads: &[Field], sample: &Value) -> Vec<Vec<String>> {
    let mut fields: Vec<Vec<String>> = Vec::new();
    for path in reads.iter().filter_map(|field| field.path.as_ref()) {
        if !fields.iter().any(|keys| keys == path.keys()) {
            fields.push(path.keys().to_vec());
        }
    }
    if reads.iter().any(|field| field.kind == FieldKind::Raw) {
        let mut objects = vec![(Vec::new(), sample)];
        while let Some((above, object)) = objects.pop() {
            for (name, value) in object.as_object().into_iter().flatten() {
                let keys = [above.as_slice(), std::slice::from_ref(name)].concat();
                // What is deeper than a path can be is as the sample has it.
                if value.is_object() && keys.len() < PATH_KEYS_MAX {
                    objects.push((keys.clone(), value));
                }
                if !fields.contains(&keys) {
                    fields.push(keys);
                }
            }
        }
    }
    fields
}

/// What is above fields and none itself.
fn parents(fields: &[Vec<String>]) -> BTreeSet<Vec<String>> {
    let above = fields.iter().flat_map(|keys| (1..keys.len()).map(|length| keys[..length].to_vec()));
    above.filter(|parent| !fields.contains(parent)).collect()
}

/// Payloads that the host refuses.
fn no_events(harmless: &[u8]) -> Vec<Hostile> {
    let and = |text: &[u8]| [harmless, text].concat();
    let wide = |bytes: usize| with_member(harmless, "x", format!("\"{}\"", "x".repeat(bytes)).as_bytes());
    let too_large = EVENT_BYTES_MAX + 1 - wide(0).len().min(EVENT_BYTES_MAX);
    let member = |value: &[u8]| with_member(harmless, "x", value);
    let nested = |levels: usize| member(&[vec![b'['; levels], vec![b']'; levels]].concat());
    vec![
        Hostile { payload: None, ..Hostile::refused("tombstone", "no payload", "") },
        Hostile::refused("empty", "no byte", ""),
        Hostile::refused("empty", "blanks alone", " \n\t "),
        Hostile::refused("not_json", "a line of a log", "Jan  1 00:00:00 web-7 sshd[411]: Failed password for root"),
        Hostile::refused("not_json", "something after the object", and(b" trailing")),
        Hostile::refused("not_json", "two objects", and(harmless)),
        Hostile::refused("not_json", "a byte order mark", [b"\xef\xbb\xbf", harmless].concat()),
        Hostile::refused("not_json", "a number with a leading zero", member(b"01")),
        Hostile::refused("not_json", "NaN", member(b"NaN")),
        Hostile::refused("not_json", "a raw control character in a text", member(b"\"a\x01b\"")),
        Hostile::refused("truncated", "the last byte is missing", &harmless[..harmless.len() - 1]),
        Hostile::refused("not_an_object", "an array", [b"[", harmless, b"]"].concat()),
        Hostile::refused("not_an_object", "a text", "\"text\""),
        Hostile::refused("not_an_object", "null", "null"),
        Hostile::refused("bad_utf8", "bytes that are no UTF-8", member(b"\"\xc3\x28\xff\"")),
        Hostile::refused("lone_surrogate", "half of a surrogate pair", member(br#""\ud83d""#)),
        Hostile::refused("lone_surrogate", "a surrogate pair the wrong way round", member(br#""\udc00\ud800""#)),
        Hostile::refused("too_deep", "50 000 arrays in each other", nested(TOO_DEEP)),
        Hostile::refused("too_deep", "one array too many in each other", nested(DEPTH_MAX)),
        Hostile::refused("too_large", "one byte too many", wide(too_large)),
    ]
}

/// Objects that are odd as a whole.
fn odd_objects(harmless: &str, sample: &Value) -> Vec<Hostile> {
    let member = |name: &str, value: &str| with_member(harmless.as_bytes(), name, value.as_bytes());
    let room = EVENT_BYTES_MAX - member("x", "\"\"").len().min(EVENT_BYTES_MAX);
    let wide: Vec<String> = (0..WIDE).map(|n| format!("\"{n}\":{n}")).collect();
    let deep = DEPTH_MAX - 1;
    vec![
        Hostile::new("no member at all", "{}"),
        Hostile::new("blanks around everything", payload::spaced(sample)),
        Hostile::new("every member twice", duplicated(harmless)),
        Hostile::new("every value null", payload::flattened(sample, "null")),
        Hostile::new("every value an array", payload::flattened(sample, "[]")),
        Hostile::new("every value an object", payload::flattened(sample, "{}")),
        Hostile::new("names of members with escapes", payload::escaped(sample)),
        Hostile::new("a member without a name", member("", "1")),
        Hostile::new("a member whose name is odd", member("\\u0000.\\\\\\\"", "1")),
        Hostile::new("10 000 other members", member("wide", &format!("{{{}}}", wide.join(",")))),
        Hostile::new("as deep as may be", member("deep", &format!("{}{}", "[".repeat(deep), "]".repeat(deep)))),
        Hostile::new("as large as may be", member("x", &format!("\"{}\"", "x".repeat(room)))),
    ]
}

/// One field with everything that it may hold.
fn of_field(n: usize, keys: &[String], sample: &Value) -> Vec<Hostile> {
    let mut events = of_parent(keys, sample);
    let mut put = |token: &str| events.push(one(keys, sample, &shown(token), Some(token)));
    if n < FIELDS_IN_FULL {
        values::NUMBERS.iter().for_each(|token| put(token));
        values::numbers_with_many_digits().iter().for_each(|token| put(token));
        values::TEXTS.iter().for_each(|text| put(&json!(text).to_string()));
        values::ESCAPED_TEXTS.iter().for_each(|token| put(token));
    }
    if n < FIELDS_WITH_LONG {
        values::long(DEPTH_MAX - keys.len()).iter().for_each(|token| put(token));
    }
    let own = keys.iter().try_fold(sample, |value, key| value.get(key)).unwrap_or(&Value::Null).to_string();
    let name = keys.last().map(|key| json!(key).to_string()).unwrap_or_default();
    for (first, second) in [("null", own.as_str()), (&own, "null")] {
        let what = format!("{}, then {}", shown(first), shown(second));
        events.push(one(keys, sample, &what, Some(&format!("{first},{name}:{second}"))));
    }
    events
}

/// A place that holds nothing, or a value of each type.
fn of_parent(keys: &[String], sample: &Value) -> Vec<Hostile> {
    let of_types = values::OF_OTHER_TYPES.map(|token| one(keys, sample, &shown(token), Some(token)));
    [one(keys, sample, "absent", None)].into_iter().chain(of_types).collect()
}

fn one(keys: &[String], sample: &Value, shown: &str, token: Option<&str>) -> Hostile {
    let place: Vec<String> = keys.iter().map(|key| key.escape_debug().to_string()).collect();
    Hostile::new(format!("{}: {shown}", place.join(".")), with(sample, keys, token))
}

/// A token as it is told: what is long is cut.
fn shown(token: &str) -> String {
    /// Characters of a value that are told.
    const CHARS_MAX: usize = 60;
    let begin: String = token.chars().take(CHARS_MAX).collect();
    let begin = begin.escape_debug().to_string().replace("\\\"", "\"");
    if begin.len() < token.len() && token.chars().count() > CHARS_MAX {
        return format!("{begin}… ({} bytes)", token.len());
    }
    begin
}

#[cfg(test)]
mod tests;
