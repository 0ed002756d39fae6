//! `docs/configuration.md`, written from the JSON Schema: every key with its meaning, values and default.

use std::fmt::Write;

use serde_json::Value as Json;

use super::schema;

/// What stands above the tables.
const INTRODUCTION: &str = include_str!("reference.md");

/// The reference of a pipeline's file and of a plugin's settings, in Markdown.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    section(&mut text, "The pipeline's file", schema::json_schema());
    section(&mut text, "The file beside a plugin", schema::sidecar());
    text
}

fn section(text: &mut String, title: &str, schema: &Json) {
    let description = one_line(schema["description"].as_str().unwrap_or_default());
    let head = "| key | values | default | meaning |\n|---|---|---|---|";
    // Writing to a String cannot fail.
    let _ = write!(text, "\n## {title}\n\n{description}\n\n{head}\n");
    Rows { definitions: &schema["$defs"], text }.of(schema, "");
}

struct Rows<'r> {
    definitions: &'r Json,
    text: &'r mut String,
}

impl<'r> Rows<'r> {
    /// A row for each key below `schema`, whose own path is `path`.
    fn of(&mut self, schema: &'r Json, path: &str) {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let default = match (&value["default"], required.contains(&key.as_str())) {
                (_, true) => "required".to_owned(),
                (Json::Null | Json::Object(_) | Json::Array(_), _) => String::new(),
                (default, _) => format!("`{}`", default.as_str().map_or_else(|| default.to_string(), str::to_owned)),
            };
            self.row(&format!("{path}{key}"), value, &default);
        }
        if schema["additionalProperties"].is_object() {
            self.row(&format!("{path}NAME"), &schema["additionalProperties"], "");
        }
    }

    fn row(&mut self, path: &str, value: &'r Json, default: &str) {
        let target = self.resolved(value);
        let own = value["description"].as_str().or_else(|| target["description"].as_str()).unwrap_or_default();
        let mut meaning = one_line(own);
        for (word, about) in self.words(target) {
            let _ = write!(meaning, " `{word}`: {about}");
        }
        let _ = writeln!(self.text, "| `{path}` | {} | {default} | {meaning} |", self.values(target));
        for branch in alternatives(target) {
            self.of(self.resolved(branch), &format!("{path}."));
        }
    }

    fn resolved(&self, schema: &'r Json) -> &'r Json {
        match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
            Some(name) => &self.definitions[name],
            None => schema,
        }
    }

    /// The words that are allowed and have a description.
    fn words(&self, schema: &'r Json) -> Vec<(&'r str, String)> {
        let branches = schema["oneOf"].as_array().into_iter().flatten();
        branches
            .filter_map(|branch| Some((branch["const"].as_str()?, one_line(branch["description"].as_str()?))))
            .collect()
    }

    fn values(&self, schema: &'r Json) -> String {
        let constants = schema["oneOf"].as_array().into_iter().flatten().map(|branch| &branch["const"]);
        let words = schema["enum"].as_array().into_iter().flatten().chain(constants);
        let words: Vec<String> = words.filter_map(Json::as_str).map(code).collect();
        if !words.is_empty() {
            return words.join(", ");
        }
        let branches: Vec<&Json> = alternatives(schema).map(|branch| self.resolved(branch)).collect();
        let mut kinds: Vec<String> = branches.iter().flat_map(|branch| kinds(branch)).collect();
        kinds.dedup();
        let range = match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(least), Some(most)) => format!(", {least} to {most}"),
            _ => String::new(),
        };
        format!("{}{range}", kinds.join(" or "))
    }
}

/// The schema itself, or the shapes that it may have.
fn alternatives(schema: &Json) -> impl Iterator<Item = &Json> {
    let branches = schema["anyOf"].as_array().map(Vec::as_slice);
    branches.unwrap_or(std::slice::from_ref(schema)).iter()
}

fn kinds(schema: &Json) -> Vec<String> {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let words: Vec<&str> = match &schema["type"] {
        Json::String(word) => vec![word],
        Json::Array(words) => words.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    match words.as_slice() {
        _ if pattern.contains("KiB") => vec!["size".to_owned()],
        _ if pattern.contains("ms") => vec!["duration".to_owned()],
        ["array"] => vec!["list of texts".to_owned()],
        words => words
            .iter()
            .map(|word| match *word {
                "object" => "mapping".to_owned(),
                "string" => "text".to_owned(),
                "boolean" => "`true`, `false`".to_owned(),
                "integer" => "whole number".to_owned(),
                other => other.to_owned(),
            })
            .collect(),
    }
}

fn code(word: &str) -> String {
    format!("`{word}`")
}

/// Text for a table's cell.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
