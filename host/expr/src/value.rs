//! Values, how they are compared, and how they are printed.

use crate::limits::JSON_DEPTH_MAX;
use crate::{EvalError, json, numbers};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A value, borrowed from the event or from the program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// JSON's and CEL's null.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer: a literal with `u`, or a JSON integer above the range of [`Value::Int`].
    UInt(u64),
    /// A double.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Text that still has its JSON escapes: what stands between the quotes.
    Escaped(&'a str),
    /// A list literal of the expression.
    List(&'a [Constant]),
    /// The raw token of a JSON array or object.
    Json(&'a str),
}

/// A value that an expression spells out.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// `1`, `-1`, `0x1f`
    Int(i64),
    /// `1u`
    UInt(u64),
    /// `1.5`, `1e3`
    Float(f64),
    /// `"text"` in any of CEL's quotes
    Text(Box<str>),
    /// `[1, "a"]`
    List(Box<[Constant]>),
}

impl Constant {
    /// The constant, borrowed.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(boolean) => Value::Bool(*boolean),
            Self::Int(integer) => Value::Int(*integer),
            Self::UInt(integer) => Value::UInt(*integer),
            Self::Float(float) => Value::Float(*float),
            Self::Text(text) => Value::Text(text),
            Self::List(items) => Value::List(items),
        }
    }
}

impl<'a> Value<'a> {
    /// The value of a raw JSON token that is known to be valid JSON.
    ///
    /// # Errors
    /// [`EvalError::Malformed`] when the token is no JSON after all.
    pub fn from_json(token: &'a str) -> Result<Self, EvalError> {
        json::value(token)
    }

    /// The text without escapes.
    ///
    /// # Errors
    /// [`EvalError::NoSuchOverload`] when the value is no text.
    pub fn text(self) -> Result<Cow<'a, str>, EvalError> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Escaped(inner) => json::unescape(inner),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int(_) | Self::UInt(_) | Self::Float(_))
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::Escaped(_))
    }

    fn is_object(self) -> bool {
        matches!(self, Self::Json(token) if token.starts_with('{'))
    }

    /// The elements, when this is a list.
    fn elements(self) -> Option<Elements<'a>> {
        match self {
            Self::List(items) => Some(Elements::Constants(items.iter())),
            Self::Json(token) if token.starts_with('[') => Some(Elements::Tokens(json::Tokens::new(token))),
            _ => None,
        }
    }
}

/// Printed as people read it: text without quotes and escapes, lists and objects as JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(boolean) => boolean.fmt(f),
            Self::Int(integer) => integer.fmt(f),
            Self::UInt(integer) => integer.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Escaped(inner) => f.write_str(&json::unescape(inner).unwrap_or(Cow::Borrowed(inner))),
            Self::Json(token) => f.write_str(token),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "[" } else { ", " }, item.value())?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
        }
    }
}

/// The elements of a list, wherever it comes from.
enum Elements<'a> {
    Constants(std::slice::Iter<'a, Constant>),
    Tokens(json::Tokens<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Value<'a>, EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Constants(items) => items.next().map(|item| Ok(item.value())),
            Self::Tokens(tokens) => tokens.next().map(|token| token.and_then(json::value)),
        }
    }
}

/// `==`: numbers by value across types, values of different types never, objects not at all.
pub(crate) fn equal(left: Value<'_>, right: Value<'_>) -> Result<bool, EvalError> {
    equal_within(left, right, JSON_DEPTH_MAX)
}

fn equal_within(left: Value<'_>, right: Value<'_>, levels: usize) -> Result<bool, EvalError> {
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        _ if left.is_number() && right.is_number() => Ok(numbers::compare(left, right) == Some(Ordering::Equal)),
        _ if left.is_text() && right.is_text() => Ok(left.text()? == right.text()?),
        _ if left.is_object() && right.is_object() => Err(EvalError::NoSuchOverload),
        _ => match (left.elements(), right.elements()) {
            (Some(a), Some(b)) => lists_equal(a, b, levels),
            _ => Ok(false),
        },
    }
}

fn lists_equal(mut left: Elements<'_>, mut right: Elements<'_>, levels: usize) -> Result<bool, EvalError> {
    let deeper = levels.checked_sub(1).ok_or(EvalError::Malformed)?;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ok(true),
            (Some(a), Some(b)) => {
                if !equal_within(a?, b?, deeper)? {
                    return Ok(false);
                }
            }
            _ => return Ok(false),
        }
    }
}

/// `<` and its kin: numbers by value, texts by code point, false before true. `None` when a number is NaN.
pub(crate) fn order(left: Value<'_>, right: Value<'_>) -> Result<Option<Ordering>, EvalError> {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(&b))),
        _ if left.is_number() && right.is_number() => Ok(numbers::compare(left, right)),
        _ => Ok(Some(left.text()?.cmp(&right.text()?))),
    }
}

/// `in`: an element of a list, or a key of an object.
pub(crate) fn contains(container: Value<'_>, wanted: Value<'_>) -> Result<bool, EvalError> {
    if let Some(elements) = container.elements() {
        for element in elements {
            if equal(element?, wanted)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let Value::Json(object) = container else { return Err(EvalError::NoSuchOverload) };
    for key in json::Tokens::new(object).step_by(2) {
        if equal(json::value(key?)?, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `size()`: code points of a text, elements of a list. An object has none, since its token may hold a key twice.
pub(crate) fn size(value: Value<'_>) -> Result<usize, EvalError> {
    match value.elements() {
        Some(Elements::Constants(items)) => Ok(items.len()),
        // Their ends are enough.
        Some(Elements::Tokens(mut tokens)) => tokens.try_fold(0, |count, token| token.map(|_| count + 1)),
        None => Ok(value.text()?.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(token: &str) -> Value<'_> {
        Value::from_json(token).expect("valid JSON")
    }

    #[test]
    fn values_of_different_types_are_never_equal() {
        let values = [json("null"), json("true"), json("1"), json("\"1\""), json("[1]"), json("{}")];
        for (i, left) in values.iter().enumerate() {
            for (j, right) in values.iter().enumerate() {
                if i != j {
                    assert_eq!(equal(*left, *right), Ok(false), "{left} with {right}");
                }
            }
        }
    }

    #[test]
    fn lists_are_equal_element_by_element_whatever_their_source() {
        let items = [Constant::Int(1), Constant::Text("a\n".into()), Constant::List(Box::new([Constant::Null]))];
        assert_eq!(equal(Value::List(&items), json(r#"[1.0, "a\n", [null]]"#)), Ok(true));
        assert_eq!(equal(Value::List(&items), json(r#"[1, "a\n"]"#)), Ok(false));
        assert_eq!(equal(json("[1,2]"), json("[1,3]")), Ok(false));
    }

    #[test]
    fn objects_cannot_be_compared() {
        assert_eq!(equal(json("{}"), json("{}")), Err(EvalError::NoSuchOverload));
    }

    #[test]
    fn size_counts_code_points_and_elements() {
        assert_eq!(size(json(r#""a\u00e9😀""#)), Ok(3));
        assert_eq!(size(json("[1,[2,3]]")), Ok(2));
        assert_eq!(size(json("{}")), Err(EvalError::NoSuchOverload));
        assert_eq!(size(json("1")), Err(EvalError::NoSuchOverload));
    }

    #[test]
    fn in_looks_at_elements_and_at_keys() {
        assert_eq!(contains(json(r#"["x", "y"]"#), Value::Text("y")), Ok(true));
        assert_eq!(contains(json(r#"{"x":"y"}"#), Value::Text("x")), Ok(true));
        assert_eq!(contains(json(r#"{"x":"y"}"#), Value::Text("y")), Ok(false));
        assert_eq!(contains(json("\"xy\""), Value::Text("x")), Err(EvalError::NoSuchOverload));
    }

    #[test]
    fn text_is_printed_without_quotes_and_escapes() {
        assert_eq!(json(r#""a\tb""#).to_string(), "a\tb");
        assert_eq!(json(r#"["a"]"#).to_string(), r#"["a"]"#);
    }

    #[test]
    fn json_deeper_than_the_limit_is_not_compared() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let at_limit = nested(JSON_DEPTH_MAX);
        assert_eq!(equal(json(&at_limit), json(&at_limit)), Ok(true));
        let beyond = nested(JSON_DEPTH_MAX + 1);
        assert_eq!(equal(json(&beyond), json(&beyond)), Err(EvalError::Malformed));
    }
}
