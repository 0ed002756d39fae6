//! Payloads that are a sample with one thing changed, written by hand: what is put in need not be what a JSON library would write.

use serde_json::{Map, Value};

/// The sample with `token` at the place that `keys` name, whatever stood there or above it; without anything there for `None`.
pub fn with(sample: &Value, keys: &[String], token: Option<&str>) -> Vec<u8> {
    let mut out = String::new();
    put(&mut out, sample.as_object().unwrap_or(&Map::new()), keys, token);
    out.into_bytes()
}

/// Recursion is as deep as a path is long.
fn put(out: &mut String, object: &Map<String, Value>, keys: &[String], token: Option<&str>) {
    let Some((key, below)) = keys.split_first() else { return };
    let mut members = Members::begin(out);
    for (name, value) in object.iter().filter(|(name, _)| *name != key) {
        members.name(&quoted(name)).push_str(&value.to_string());
    }
    match token {
        _ if !below.is_empty() => {
            let none = Map::new();
            let inside = object.get(key).and_then(Value::as_object).unwrap_or(&none);
            put(members.name(&quoted(key)), inside, below, token);
        }
        Some(token) => members.name(&quoted(key)).push_str(token),
        None => {}
    }
    members.end();
}

/// An object with one member more at its end; `name` and `value` as they are to stand there.
pub(super) fn with_member(object: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let comma: &[u8] = if object == b"{}" { b"" } else { b"," };
    let begin = object.strip_suffix(b"}").unwrap_or(object);
    [begin, comma, b"\"", name.as_bytes(), b"\":", value, b"}"].concat()
}

/// An object with every member a second time.
pub(super) fn duplicated(object: &str) -> String {
    match object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(members) if !members.is_empty() => format!("{{{members},{members}}}"),
        _ => object.to_owned(),
    }
}

/// The sample with `token` in each of its members.
pub(super) fn flattened(sample: &Value, token: &str) -> String {
    written(sample, quoted, |_| token.to_owned())
}

/// The sample with its members' names written by escapes alone.
pub(super) fn escaped(sample: &Value) -> String {
    let escaped = |name: &str| {
        let units: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    };
    written(sample, escaped, ToString::to_string)
}

/// The sample with blanks wherever JSON allows them.
pub(super) fn spaced(sample: &Value) -> String {
    let spaced = |name: &str| format!("\r\n\t {} \n", quoted(name));
    format!("\n{}\r\n", written(sample, spaced, |value| format!("\t{value}\n ")))
}

fn written(sample: &Value, name: impl Fn(&str) -> String, value: impl Fn(&Value) -> String) -> String {
    let mut out = String::new();
    let mut members = Members::begin(&mut out);
    for (own, inside) in sample.as_object().into_iter().flatten() {
        members.name(&name(own)).push_str(&value(inside));
    }
    members.end();
    out
}

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}

/// An object that is written, and where its commas go.
struct Members<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Members<'a> {
    fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, is_first: true }
    }

    /// Begins a member, whose value is to be appended.
    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        self.out.push_str(name);
        self.out.push(':');
        self.out
    }

    fn end(self) {
        self.out.push('}');
    }
}
