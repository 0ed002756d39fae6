//! A YAML file as a tree in which every key and value knows its place.
//!
//! Read from the parser's events, not with a document loader: duplicate keys, anchors and tags are seen, and nesting is
//! bounded before anything recurses. Anchors and aliases are refused, so a file cannot grow when it is read.

use std::collections::HashMap;
use std::path::Path;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::environment::{Environment, fill};
use super::mistake::{Collector, Position, quoted};
use super::scalar::{Scalar, plain};

/// Bytes of a configuration file.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// How deep lists and mappings may nest.
pub const DEPTH_MAX: usize = 32;
/// Values of a file, lists and mappings counted.
pub const NODES_MAX: usize = 20_000;

/// One value.
#[derive(Clone)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) at: Position,
    /// What it is.
    pub(super) value: Value,
    /// As written and after filling in, where the environment had a part in it.
    pub(super) filled: Option<Filled>,
    /// Whether it stands in for a value with a mistake, which has been reported: nothing else is said about it.
    pub(super) broken: bool,
    /// Whether it must never be shown; known once the tree has been checked.
    pub(super) secret: bool,
}

/// A value in which something was filled in.
#[derive(Clone)]
pub(super) struct Filled {
    /// As the file has it: safe to show.
    pub(super) written: String,
    /// After filling in: may be a secret.
    pub(super) text: String,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins.
    pub(super) at: Position,
    pub(super) node: Node,
}

impl Node {
    /// A value without a mistake.
    pub(super) fn new(at: Position, value: Value) -> Self {
        Self { at, value, filled: None, broken: false, secret: false }
    }

    /// The entry of `key`, where this is a mapping that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}

/// The tree of `bytes`; `None` when a mistake makes the rest unreadable. Every mistake is in `mistakes`.
pub(super) fn parse(bytes: &[u8], environment: &Environment, folder: &Path, mistakes: &mut Collector) -> Option<Node> {
    if bytes.len() > FILE_BYTES_MAX {
        mistakes.add(Position::START, format!("the file has over {FILE_BYTES_MAX} bytes, the most that are allowed"));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            mistakes.add(position_of(bytes, error.valid_up_to()), "the file is no UTF-8 text from here on");
            return None;
        }
    };
    let mut builder = Builder { environment, folder, mistakes, open: Vec::new(), root: None, nodes: 0 };
    for next in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let outcome = match next {
            Ok((event, span)) => builder.take(event, position(span.start)),
            Err(error) => Err(syntax(text, position(*error.marker()), error.info())),
        };
        if let Err((at, message)) = outcome {
            mistakes.add(at, message);
            return None;
        }
    }
    match builder.root.take() {
        Some(node) if !matches!(node.value, Value::Null) => Some(node),
        _ => {
            mistakes.add(Position::START, "the file is empty");
            None
        }
    }
}

fn syntax(text: &str, at: Position, problem: &str) -> Fatal {
    let line = text.lines().nth(at.line - 1).unwrap_or_default();
    let hint = if line.contains("${") { "; between { } or [ ] put \"${NAME}\" in quotes" } else { "" };
    (at, format!("this is no valid YAML: {problem}{hint}"))
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

fn position_of(bytes: &[u8], index: usize) -> Position {
    let before = &bytes[..index];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Position { line, column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1 }
}

/// A mistake after which reading ends.
type Fatal = (Position, String);

struct Builder<'b> {
    environment: &'b Environment,
    folder: &'b Path,
    mistakes: &'b mut Collector,
    /// Lists and mappings that have not ended, outermost first.
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

enum Open {
    List(Position, Vec<Node>),
    Map(OpenMap),
}

struct OpenMap {
    at: Position,
    entries: Vec<Entry>,
    seen: HashMap<String, usize>,
    pending: Pending,
}

/// What a mapping waits for.
enum Pending {
    Key,
    Value(String, Position),
    /// The value of a key that is not kept.
    Nothing,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Fatal> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err((
                    at,
                    "a second document begins here; one file is one pipeline, so remove the \"---\"".to_owned(),
                ));
            }
            Event::DocumentStart(_) => {}
            Event::Alias(_) => return Err((at, no_alias())),
            Event::Scalar(text, style, anchor, tag) => {
                refuse(anchor, tag.is_some(), at)?;
                if self.awaits_key() {
                    self.key(text.into_owned(), at);
                } else {
                    let node = self.scalar(&text, style == ScalarStyle::Plain, at);
                    self.add(node)?;
                }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse(anchor, tag.is_some(), at)?;
                self.open(Open::List(at, Vec::new()), at)?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse(anchor, tag.is_some(), at)?;
                let map = OpenMap { at, entries: Vec::new(), seen: HashMap::new(), pending: Pending::Key };
                self.open(Open::Map(map), at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map(OpenMap { pending: Pending::Key, .. })))
    }

    fn open(&mut self, open: Open, at: Position) -> Result<(), Fatal> {
        if self.awaits_key() {
            return Err((at, "a key must be text, and here a list or mapping stands in its place".to_owned()));
        }
        if self.open.len() == DEPTH_MAX {
            return Err((
                at,
                format!("lists and mappings are nested more than {DEPTH_MAX} deep, the most that is allowed"),
            ));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fatal> {
        let node = match self.open.pop() {
            Some(Open::List(at, nodes)) => Node::new(at, Value::List(nodes)),
            Some(Open::Map(map)) => Node::new(map.at, Value::Map(map.entries)),
            None => return Ok(()),
        };
        self.add(node)
    }

    fn key(&mut self, key: String, at: Position) {
        let Some(Open::Map(map)) = self.open.last_mut() else { return };
        map.pending = match map.seen.get(&key) {
            Some(first) => {
                self.mistakes.add(at, format!("the key {} is given twice; the first is on line {first}", quoted(&key)));
                Pending::Nothing
            }
            None => {
                map.seen.insert(key.clone(), at.line);
                Pending::Value(key, at)
            }
        };
    }

    fn add(&mut self, node: Node) -> Result<(), Fatal> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err((node.at, format!("the file has over {NODES_MAX} values, the most that are allowed")));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Map(map)) => {
                if let Pending::Value(key, at) = std::mem::replace(&mut map.pending, Pending::Key) {
                    map.entries.push(Entry { key, at, node });
                }
            }
        }
        Ok(())
    }

    fn scalar(&mut self, written: &str, is_plain: bool, at: Position) -> Node {
        let filled = match fill(written, self.environment, self.folder) {
            Ok(filled) => filled.map(|text| Filled { written: written.to_owned(), text }),
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.mistakes.add(at, problem));
                return Node { broken: true, ..Node::new(at, Value::Null) };
            }
        };
        let text = filled.as_ref().map_or(written, |filled| &filled.text);
        let value = match if is_plain { plain(text) } else { Ok(Scalar::Text) } {
            Ok(Scalar::Bool(value)) => Value::Bool(value),
            Ok(Scalar::Integer(value)) => Value::Integer(value),
            Ok(Scalar::Float(value)) => Value::Float(value),
            Ok(Scalar::Null) if filled.is_none() => Value::Null,
            // A variable may hold any text, whatever it looks like.
            Err(_) if filled.is_none() => {
                self.mistakes
                    .add(at, format!("{} is not a finite number of 64 bits; put text in quotes", quoted(written)));
                return Node { broken: true, ..Node::new(at, Value::Null) };
            }
            _ => Value::Text(text.to_owned()),
        };
        Node { filled, ..Node::new(at, value) }
    }
}

fn refuse(anchor: usize, tagged: bool, at: Position) -> Result<(), Fatal> {
    if anchor > 0 {
        return Err((at, no_alias()));
    }
    if tagged {
        return Err((at, "YAML tags (\"!\") are not allowed; put text that begins with \"!\" in quotes".to_owned()));
    }
    Ok(())
}

fn no_alias() -> String {
    "YAML anchors (\"&\") and aliases (\"*\") are not allowed; write the value out, or put text in quotes".to_owned()
}
