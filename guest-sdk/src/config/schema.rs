//! What a config may be, known when the plugin is compiled: it becomes a JSON Schema (2020-12) that the component's core module carries
//! as the custom section `wasmill:config-schema`, so that it can be read without running the plugin.

/// What a part of a config may be. Types that implement [`FromConfig`](super::value::FromConfig) by hand name theirs, or are
/// [`Schema::Any`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Any JSON value.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number within these bounds, as JSON numbers.
    Integer {
        /// The least.
        minimum: &'static str,
        /// The greatest.
        maximum: &'static str,
    },
    /// A number.
    Number,
    /// Text.
    Text,
    /// Text, a number, `true` or `false`.
    Scalar,
    /// One of these texts.
    Words(&'static [&'static str]),
    /// A list of these.
    List(&'static Schema),
    /// An object with any keys and these values.
    Map(&'static Schema),
    /// This, null, or no such key.
    Optional(&'static Schema),
    /// An object with no other keys than these.
    Object(&'static [SchemaKey]),
}

/// A key of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaKey {
    /// The key.
    pub name: &'static str,
    /// What its field's comment says.
    pub doc: &'static str,
    /// What its value may be.
    pub schema: &'static Schema,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it is where it is not there, as JSON, if that is known when the plugin is compiled.
    pub default: Option<&'static str>,
    /// The least and the greatest that its numbers may be, as JSON.
    pub range: (Option<&'static str>, Option<&'static str>),
}

/// Bytes of a schema as JSON.
pub const fn length(schema: &Schema) -> usize {
    let mut json = Json::<0> { bytes: [], length: 0 };
    json.schema(schema);
    json.length
}

/// A schema as JSON, `LENGTH` bytes of it.
pub const fn json<const LENGTH: usize>(schema: &Schema) -> [u8; LENGTH] {
    let mut json = Json { bytes: [b' '; LENGTH], length: 0 };
    json.schema(schema);
    json.bytes
}

/// Writes what there is room for, and counts all of it.
struct Json<const ROOM: usize> {
    bytes: [u8; ROOM],
    length: usize,
}

impl<const ROOM: usize> Json<ROOM> {
    const fn byte(&mut self, byte: u8) {
        if self.length < ROOM {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    const fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    const fn quoted(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        self.byte(b'"');
        while at < bytes.len() {
            match bytes[at] {
                b'\n' => self.text("\\n"),
                byte @ (b'"' | b'\\') => {
                    self.byte(b'\\');
                    self.byte(byte);
                }
                ..b' ' => self.byte(b' '),
                byte => self.byte(byte),
            }
            at += 1;
        }
        self.byte(b'"');
    }

    const fn schema(&mut self, schema: &Schema) {
        self.byte(b'{');
        self.members(schema);
        self.byte(b'}');
    }

    /// `"type":...` and what belongs to it.
    const fn members(&mut self, schema: &Schema) {
        match schema {
            Schema::Any => {}
            Schema::Boolean => self.text(r#""type":"boolean""#),
            Schema::Number => self.text(r#""type":"number""#),
            Schema::Text => self.text(r#""type":"string""#),
            Schema::Scalar => self.text(r#""type":["string","number","boolean"]"#),
            Schema::Integer { minimum, maximum } => {
                self.text(r#""type":"integer""#);
                self.bounds((Some(minimum), Some(maximum)));
            }
            Schema::Words(words) => {
                self.text(r#""enum":["#);
                self.list(words);
                self.byte(b']');
            }
            Schema::List(of) => {
                self.text(r#""type":"array","items":"#);
                self.schema(of);
            }
            Schema::Map(of) => {
                self.text(r#""type":"object","additionalProperties":"#);
                self.schema(of);
            }
            Schema::Optional(of) => {
                self.text(r#""anyOf":[{"type":"null"},"#);
                self.schema(of);
                self.byte(b']');
            }
            Schema::Object(keys) => self.object(keys),
        }
    }

    const fn object(&mut self, keys: &[SchemaKey]) {
        self.text(r#""type":"object","additionalProperties":false,"properties":{"#);
        let (mut at, mut required) = (0, 0);
        while at < keys.len() {
            if at > 0 {
                self.byte(b',');
            }
            self.key(&keys[at]);
            required += keys[at].is_required as usize;
            at += 1;
        }
        self.byte(b'}');
        if required > 0 {
            self.text(r#","required":["#);
            let (mut at, mut written) = (0, 0);
            while at < keys.len() {
                if keys[at].is_required {
                    if written > 0 {
                        self.byte(b',');
                    }
                    self.quoted(keys[at].name);
                    written += 1;
                }
                at += 1;
            }
            self.byte(b']');
        }
    }

    const fn key(&mut self, key: &SchemaKey) {
        self.quoted(key.name);
        self.text(":{");
        if !key.doc.is_empty() {
            self.text(r#""description":"#);
            self.quoted(key.doc);
            self.byte(b',');
        }
        if let Some(default) = key.default {
            self.text(r#""default":"#);
            self.text(default);
            self.byte(b',');
        }
        match (key.range, key.schema) {
            ((None, None), schema) => {
                let before = self.length;
                self.members(schema);
                if self.length == before && (!key.doc.is_empty() || key.default.is_some()) {
                    // There is no member after the comma.
                    self.text(r#""type":["null","boolean","number","string","array","object"]"#);
                }
            }
            ((least, greatest), Schema::Integer { minimum, maximum }) => {
                self.text(r#""type":"integer""#);
                self.bounds((
                    Some(if let Some(least) = least { least } else { minimum }),
                    Some(if let Some(greatest) = greatest { greatest } else { maximum }),
                ));
            }
            (range, Schema::List(of)) => {
                self.text(r#""type":"array","items":{"#);
                self.members(of);
                self.bounds(range);
                self.byte(b'}');
            }
            (range, schema) => {
                self.members(schema);
                self.bounds(range);
            }
        }
        self.byte(b'}');
    }

    const fn bounds(&mut self, (minimum, maximum): (Option<&str>, Option<&str>)) {
        if let Some(minimum) = minimum {
            self.text(r#","minimum":"#);
            self.text(minimum);
        }
        if let Some(maximum) = maximum {
            self.text(r#","maximum":"#);
            self.text(maximum);
        }
    }

    const fn list(&mut self, texts: &[&str]) {
        let mut at = 0;
        while at < texts.len() {
            if at > 0 {
                self.byte(b',');
            }
            self.quoted(texts[at]);
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::super::value::{FromConfig, Scalar};
    use super::*;
    use crate::Config;

    /// All that a config may hold.
    #[derive(Config)]
    #[allow(dead_code, reason = "only what it may be is looked at")]
    struct Everything {
        /// How many "at once".
        ///
        /// More is slower.
        #[config(default = 64, range = 1..=100)]
        many: u32,
        #[config(default = "eu")]
        region: String,
        ratio: Option<f64>,
        #[config(default)]
        on: bool,
        words: Vec<Word>,
        #[config(rename = "type")]
        parts: BTreeMap<String, Part>,
        scalar: Scalar,
        #[config(range = 0.0..)]
        factors: Vec<f64>,
    }

    #[derive(Config)]
    enum Word {
        One,
        #[config(rename = "2")]
        Two,
    }

    /// Every key has a default.
    #[derive(Config, Default)]
    #[config(default)]
    #[allow(dead_code, reason = "only what it may be is looked at")]
    struct Part {
        port: u16,
    }

    #[test]
    fn a_config_is_told_as_json_schema() {
        const LENGTH: usize = length(Everything::SCHEMA);
        let told: Value = serde_json::from_slice(&json::<LENGTH>(Everything::SCHEMA)).unwrap();
        let port = serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 65_535 });
        let part =
            serde_json::json!({ "type": "object", "additionalProperties": false, "properties": { "port": port } });
        assert_eq!(
            told,
            serde_json::json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "many": { "type": "integer", "minimum": 1, "maximum": 100, "default": 64,
                              "description": "How many \"at once\".\n\nMore is slower." },
                    "region": { "type": "string", "default": "eu" },
                    "ratio": { "anyOf": [{ "type": "null" }, { "type": "number" }] },
                    "on": { "type": "boolean" },
                    "words": { "type": "array", "items": { "enum": ["one", "2"] } },
                    "type": { "type": "object", "additionalProperties": part },
                    "scalar": { "type": ["string", "number", "boolean"] },
                    "factors": { "type": "array", "items": { "type": "number", "minimum": 0.0 } },
                },
                "required": ["words", "type", "scalar", "factors"],
            })
        );
    }

    #[test]
    fn what_is_out_of_its_range_is_refused_by_its_place() {
        let read = |json: &str| Everything::from_value(super::super::json::parse(json).unwrap());
        let with = |many: &str, factors: &str| {
            let rest = r#""words": [], "type": {}, "scalar": 1"#;
            read(&format!(r#"{{"many": {many}, "factors": {factors}, {rest}}}"#)).err().map(|error| error.sentence())
        };
        assert_eq!((with("1", "[]"), with("100", "[0, 1]")), (None, None));
        let out = |key: &str, bounds: &str| Some(format!("`{key}`: must be {bounds}"));
        assert_eq!(with("101", "[]"), out("many", "at least 1 and at most 100"));
        assert_eq!(with("0", "[]"), out("many", "at least 1 and at most 100"));
        assert_eq!(with("1", "[1, -0.5]"), out("factors", "at least 0.0"));
    }
}
