//! Checks a tree against the JSON Schema of its type, and says every mistake at once.
//!
//! It knows the part of JSON Schema that our types use (`host/src/config/raw.rs`): `$ref`, `type`, `properties`,
//! `required`, `additionalProperties`, `items`, `minItems`, `minProperties`, `minimum`, `maximum`, `enum` or `oneOf` of
//! constants, `anyOf` of shapes, `oneOf` of required keys, and `writeOnly` for secrets, which are never quoted.
//!
//! Values that the environment filled in are read as the type that their place wants.

use serde_json::Value as Json;

use super::mistake::{Collector, Position, instead, nearest, quoted};
use super::scalar::{Scalar, plain};
use super::tree::{Entry, Node, Value};

/// Checks `root` against `schema`. Unknown keys are taken out, and in the place of what is missing or wrong comes the plainest
/// value of the right type, marked broken: so the tree can always be read, and mistakes elsewhere are still found.
pub(super) fn check(schema: &Json, root: &mut Node, mistakes: &mut Collector) {
    Checker { definitions: &schema["$defs"], mistakes }.node(
        schema,
        root,
        Spot { name: "the file", at: Position::START },
    );
}

struct Checker<'c> {
    definitions: &'c Json,
    mistakes: &'c mut Collector,
}

/// What a value is called in sentences, and where its key stands.
#[derive(Clone, Copy)]
struct Spot<'s> {
    name: &'s str,
    at: Position,
}

impl<'c> Checker<'c> {
    fn node(&mut self, schema: &'c Json, node: &mut Node, spot: Spot<'_>) {
        let shape = if node.broken { None } else { self.shape(schema, node, spot) };
        let is_right = match shape {
            None => false,
            Some(Shape::Any) => true,
            Some(Shape::Map(schema)) => {
                self.map(schema, node, spot);
                true
            }
            Some(Shape::List(schema)) => {
                self.list(schema, node, spot);
                true
            }
            Some(Shape::Scalar(schema)) => {
                node.secret = schema["writeOnly"] == Json::Bool(true);
                self.scalar(schema, node, spot)
            }
        };
        if !is_right {
            *node = self.placeholder(schema, node.at);
        }
    }

    /// The plainest value of `schema`.
    fn placeholder(&self, schema: &'c Json, at: Position) -> Node {
        let schema = self.resolved(schema);
        let schema = branches(schema, "anyOf").next().map_or(schema, |branch| self.resolved(branch));
        let value = match types(schema).first().copied() {
            Some("object") => Value::Map(words(&schema["required"]).map(|key| self.missing(schema, key, at)).collect()),
            Some("array") => Value::List(Vec::new()),
            Some("string") => Value::Text(valid_words(schema).first().copied().unwrap_or_default().to_owned()),
            Some("boolean") => Value::Bool(false),
            Some("integer" | "number") => Value::Integer(schema["minimum"].as_i64().unwrap_or_default()),
            _ => Value::Null,
        };
        Node { broken: true, ..Node::new(at, value) }
    }

    fn missing(&self, schema: &'c Json, key: &str, at: Position) -> Entry {
        let node = self.placeholder(known(schema, key).unwrap_or(&Json::Bool(true)), at);
        Entry { key: key.to_owned(), at, node }
    }

    /// Follows references and alternatives to the schema that fits the value's shape.
    fn shape(&mut self, schema: &'c Json, node: &mut Node, spot: Spot<'_>) -> Option<Shape<'c>> {
        let schema = self.resolved(schema);
        let branches: Vec<&'c Json> = match schema["anyOf"].as_array() {
            Some(branches) => branches.iter().map(|branch| self.resolved(branch)).collect(),
            None => vec![schema],
        };
        if schema == &Json::Bool(true) || branches.iter().all(|branch| types(branch).is_empty()) {
            return Some(Shape::Any);
        }
        for branch in &branches {
            for expected in types(branch) {
                if coerce(node, expected) {
                    return Some(match expected {
                        "object" => Shape::Map(branch),
                        "array" => Shape::List(branch),
                        _ => Shape::Scalar(branch),
                    });
                }
            }
        }
        let mut expected: Vec<&str> = branches.iter().flat_map(|branch| types(branch)).map(type_name).collect();
        expected.dedup();
        self.mistakes.add(node.at, wrong_type(&spot.named(), &expected.join(" or "), node));
        None
    }

    fn resolved(&self, schema: &'c Json) -> &'c Json {
        match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
            Some(name) => &self.definitions[name],
            None => schema,
        }
    }

    fn map(&mut self, schema: &'c Json, node: &mut Node, spot: Spot<'_>) {
        let Value::Map(entries) = &mut node.value else { return };
        let meant = self.take_unknown_keys(schema, entries);
        for entry in entries.iter_mut() {
            let schema = known(schema, &entry.key).unwrap_or(&Json::Bool(true));
            self.node(schema, &mut entry.node, Spot { name: &entry.key, at: entry.at });
        }
        if meant.is_empty() {
            self.one_of_keys(schema, entries, spot);
            if entries.len() < minimum(schema, "minProperties") {
                self.mistakes.add(spot.at, format!("{} needs at least one entry", spot.named()));
            }
        }
        let wanted: Vec<&str> = meant.iter().copied().flatten().chain(words(&schema["required"])).collect();
        for key in wanted {
            if entries.iter().any(|entry| entry.key == key) {
                continue;
            }
            if !meant.contains(&Some(key)) {
                self.mistakes.add(spot.at, format!("the key {} is missing in {}", quoted(key), spot.named()));
            }
            entries.push(self.missing(schema, key, spot.at));
        }
    }

    /// Takes them out; for each, the known key that was probably meant.
    fn take_unknown_keys(&mut self, schema: &'c Json, entries: &mut Vec<Entry>) -> Vec<Option<&'c str>> {
        let valid: Vec<&'c str> =
            schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let (kept, unknown) =
            std::mem::take(entries).into_iter().partition(|entry| known(schema, &entry.key).is_some());
        *entries = kept;
        let unknown: Vec<Entry> = unknown;
        for entry in &unknown {
            self.mistakes.add(entry.at, format!("unknown key {}; {}", quoted(&entry.key), instead(&entry.key, &valid)));
        }
        unknown.iter().map(|entry| nearest(&entry.key, valid.iter().copied())).collect()
    }

    /// `oneOf` of `{required: [key]}`: exactly one of these keys is to be there.
    fn one_of_keys(&mut self, schema: &'c Json, entries: &[Entry], spot: Spot<'_>) {
        let choices: Vec<&str> = branches(schema, "oneOf").flat_map(|branch| words(&branch["required"])).collect();
        let given: Vec<&Entry> = entries.iter().filter(|entry| choices.contains(&entry.key.as_str())).collect();
        if choices.is_empty() || given.len() == 1 {
            return;
        }
        let one_of = choices.join(", ");
        match given.get(1) {
            None => self.mistakes.add(spot.at, format!("{} needs exactly one of: {one_of}", spot.named())),
            Some(second) => {
                let message = format!("{} has more than one of: {one_of}; keep one", spot.named());
                self.mistakes.add(second.at, message);
            }
        }
    }

    fn list(&mut self, schema: &'c Json, node: &mut Node, spot: Spot<'_>) {
        let Value::List(nodes) = &mut node.value else { return };
        if nodes.len() < minimum(schema, "minItems") {
            self.mistakes.add(node.at, format!("{} needs at least one entry", spot.named()));
        }
        for node in nodes {
            let at = node.at;
            self.node(&schema["items"], node, Spot { name: spot.name, at });
        }
    }

    fn scalar(&mut self, schema: &'c Json, node: &Node, spot: Spot<'_>) -> bool {
        match &node.value {
            Value::Text(text) => self.word(schema, node, text, spot),
            Value::Integer(value) => self.range(schema, node, *value, spot),
            _ => true,
        }
    }

    fn word(&mut self, schema: &'c Json, node: &Node, text: &str, spot: Spot<'_>) -> bool {
        let valid = valid_words(schema);
        if valid.is_empty() || valid.contains(&text) {
            return true;
        }
        let shown = node.filled.as_ref().map_or(text, |filled| &filled.written);
        let message = format!("{} is no {}; {}", quoted(shown), quoted(spot.name), instead(text, &valid));
        self.mistakes.add(node.at, message);
        false
    }

    fn range(&mut self, schema: &'c Json, node: &Node, value: i64, spot: Spot<'_>) -> bool {
        let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
        let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
        if (least..=most).contains(&(value as f64)) {
            return true;
        }
        let bounds = match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(least), Some(most)) => format!("from {least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            _ => format!("at most {most}"),
        };
        self.mistakes.add(node.at, format!("{} must be {bounds}", quoted(spot.name)));
        false
    }
}

impl Spot<'_> {
    fn named(self) -> String {
        // Keys of the file itself cannot be called that.
        if self.name == "the file" { self.name.to_owned() } else { quoted(self.name) }
    }
}

/// What a value is to be read as.
enum Shape<'c> {
    Any,
    Map(&'c Json),
    List(&'c Json),
    Scalar(&'c Json),
}

/// Whether `node` is (or, filled in from the environment, can be read as) of a type; if so it is of that type now.
fn coerce(node: &mut Node, expected: &str) -> bool {
    let fits = matches!(
        (expected, &node.value),
        ("object", Value::Map(_))
            | ("array", Value::List(_))
            | ("string", Value::Text(_))
            | ("boolean", Value::Bool(_))
            | ("integer", Value::Integer(_))
            | ("number", Value::Integer(_) | Value::Float(_))
    );
    let Some(filled) = &node.filled else { return fits };
    let read = match (expected, plain(filled.text.trim())) {
        ("string", _) => Value::Text(filled.text.clone()),
        ("boolean", Ok(Scalar::Bool(value))) => Value::Bool(value),
        ("integer" | "number", Ok(Scalar::Integer(value))) => Value::Integer(value),
        ("number", Ok(Scalar::Float(value))) => Value::Float(value),
        _ => return fits,
    };
    node.value = read;
    true
}

fn wrong_type(name: &str, expected: &str, node: &Node) -> String {
    let found = match &node.value {
        Value::Null => {
            let empty =
                if expected == "a mapping" { "; write {} for its defaults" } else { "; give one, or remove the key" };
            return format!("{name} has no value{empty}");
        }
        Value::Bool(_) => "true or false",
        Value::Integer(_) | Value::Float(_) if expected == "text" => "a number; put it in quotes",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    };
    format!("{name} must be {expected}, not {found}")
}

fn type_name(word: &str) -> &'static str {
    match word {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

/// The schema of `key`'s value, where the key is allowed.
fn known<'c>(schema: &'c Json, key: &str) -> Option<&'c Json> {
    schema["properties"].get(key).or_else(|| schema.get("additionalProperties").filter(|s| **s != Json::Bool(false)))
}

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(word) => vec![word],
        Json::Array(words) => words.iter().filter_map(Json::as_str).collect(),
        // Words with a description each.
        _ if branches(schema, "oneOf").any(|branch| branch.get("const").is_some()) => vec!["string"],
        _ => Vec::new(),
    }
}

fn branches<'c>(schema: &'c Json, key: &str) -> impl Iterator<Item = &'c Json> {
    schema[key].as_array().into_iter().flatten()
}

/// The words that are allowed; none where any text is.
fn valid_words(schema: &Json) -> Vec<&str> {
    let constants = branches(schema, "oneOf").filter_map(|branch| branch["const"].as_str());
    words(&schema["enum"]).chain(constants).collect()
}

fn words(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

fn minimum(schema: &Json, key: &str) -> usize {
    schema[key].as_u64().map_or(0, |least| usize::try_from(least).unwrap_or(usize::MAX))
}
