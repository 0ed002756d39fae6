//! What is wrong with an event, as a sentence that begins with the place. Made of an event that is rejected, and of no other.

use crate::check::{DEPTH_MAX, missing_dependent};
use crate::equal::repeated;
use crate::escape::quoted;
use crate::failure::{Cause, Failure};
use crate::pointer;
use crate::schema::{Bound, Count, Keyword, Schemas};
use crate::tape::{Json, Kind};
use crate::write::token;

/// Bytes of a pointer that a reason shows.
const POINTER_BYTES_MAX: usize = 200;

/// `/pointer: what is wrong`
#[cold]
pub(crate) fn of(schemas: &Schemas, json: Json<'_>, failure: Failure) -> String {
    let node = failure.node();
    let what = match failure.cause() {
        Cause::Keyword(number) => {
            format!("{} {}", subject(json, node), predicate(&schemas.keywords[number as usize], json, node))
        }
        Cause::TooDeep => format!("the schemas that are asked here are more than {DEPTH_MAX} inside of each other"),
        Cause::TooCostly => "the answer takes more steps than `steps_max` allows".to_owned(),
    };
    let (pointer, is_key) = pointer::of(json, node);
    let is_about_key = if is_key { "the name " } else { "" };
    format!("{}: {is_about_key}{what}", shortened(&pointer))
}

/// The whole value has no pointer of its own that could be seen.
fn shortened(pointer: &str) -> String {
    if pointer.is_empty() {
        return "(root)".to_owned();
    }
    if pointer.len() <= POINTER_BYTES_MAX {
        return pointer.to_owned();
    }
    let end = (0..=POINTER_BYTES_MAX).rev().find(|end| pointer.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &pointer[..end])
}

fn subject(json: Json<'_>, node: u32) -> String {
    match json.kind(node) {
        Kind::Object => "the object".to_owned(),
        Kind::Array => "the array".to_owned(),
        Kind::Text => quoted(json.text(node)),
        _ => quoted(&token(json, node)),
    }
}

fn predicate(keyword: &Keyword, json: Json<'_>, node: u32) -> String {
    match keyword {
        Keyword::Never => "is not allowed here".to_owned(),
        Keyword::Type(types) => format!("is not of the type {}", types.names()),
        Keyword::Const(value) => format!("is not {}", quoted(&token(value.json(), 0))),
        Keyword::Enum { shown, .. } => format!("is not one of {shown}"),
        Keyword::Bound { bound, limit } => bounded(*bound, limit.token()),
        Keyword::MultipleOf(divisor) => format!("is not a multiple of {}", divisor.token()),
        Keyword::Length(count) => counted(json.text(node).chars().count() as u64, "characters", *count),
        Keyword::Pattern(pattern) => format!("does not match the pattern {}", quoted(pattern.source())),
        Keyword::Format(format) => format!("is not of the format `{}`", format.name()),
        Keyword::Elements(count) => counted(json.count(node).into(), "elements", *count),
        Keyword::UniqueItems => match repeated(json, node) {
            Some(place) => format!("has an element that is equal to an earlier one: number {place}, counted from 0"),
            None => "has equal elements".to_owned(),
        },
        Keyword::Members(count) => counted(json.count(node).into(), "members", *count),
        Keyword::Properties(rules) => {
            let missing = rules.required.iter().find(|name| json.get(node, name).is_none());
            format!("lacks {}", quoted(missing.map_or("", String::as_str)))
        }
        Keyword::DependentRequired(rules) => {
            let (present, missing) = missing_dependent(json, node, rules).unwrap_or_default();
            format!("has {} and lacks {}", quoted(present), quoted(missing))
        }
        Keyword::Contains { count, .. } => {
            format!("does not have {} that `contains` asks for", allowed(*count, "elements"))
        }
        Keyword::AnyOf(schemas) => format!("fits none of the {} schemas of `anyOf`", schemas.len()),
        Keyword::OneOf(schemas) => format!("fits none, or more than one, of the {} schemas of `oneOf`", schemas.len()),
        Keyword::Not(_) => "fits the schema of `not`".to_owned(),
        _ => "does not fit".to_owned(),
    }
}

fn bounded(bound: Bound, limit: &str) -> String {
    let limit = quoted(limit);
    match bound {
        Bound::Minimum => format!("is less than {limit}"),
        Bound::ExclusiveMinimum => format!("is not more than {limit}"),
        Bound::Maximum => format!("is more than {limit}"),
        Bound::ExclusiveMaximum => format!("is not less than {limit}"),
    }
}

fn counted(found: u64, what: &str, count: Count) -> String {
    format!("has {found} {what}, not {}", allowed(count, what))
}

fn allowed(count: Count, what: &str) -> String {
    match count {
        Count { min, max } if min == max => format!("{min} {what}"),
        Count { min, max: u64::MAX } => format!("{min} {what} or more"),
        Count { min: 0, max } => format!("{max} {what} at most"),
        Count { min, max } => format!("{min} to {max} {what}"),
    }
}
