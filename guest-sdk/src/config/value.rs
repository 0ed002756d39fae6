//! From a JSON value to a config's types.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use super::schema::Schema;
use crate::words::{joined, push};

/// A value of a config.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'j> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number, as its token.
    Number(&'j str),
    /// Text, unescaped.
    Text(String),
    /// An array.
    Array {
        /// Its elements.
        elements: Vec<Value<'j>>,
        /// Its token, as it stands in the config.
        token: &'j str,
    },
    /// An object.
    Object {
        /// Its keys and values, in their order; no key is there twice.
        members: Vec<(String, Value<'j>)>,
        /// Its token, as it stands in the config.
        token: &'j str,
    },
}

impl Value<'_> {
    /// The value as a JSON token.
    pub fn token(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Boolean(boolean) => boolean.to_string(),
            Value::Number(token) | Value::Array { token, .. } | Value::Object { token, .. } => (*token).to_owned(),
            Value::Text(text) => quoted(text),
        }
    }

    /// The value in an error, in three parts: "the text \"x\"", "the number 1", ...
    fn shown(&self) -> [&str; 3] {
        match self {
            Value::Null => ["null", "", ""],
            Value::Boolean(true) => ["true", "", ""],
            Value::Boolean(false) => ["false", "", ""],
            Value::Number(token) => ["the number ", token, ""],
            Value::Text(text) => ["the text \"", text, "\""],
            Value::Array { .. } => ["an array", "", ""],
            Value::Object { .. } => ["an object", "", ""],
        }
    }
}

/// What is wrong with a config, and where.
// A box, since it passes through every function that reads a part of a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Box<Mistake>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    /// Keys and indexes, the innermost first.
    path: Vec<String>,
    why: String,
}

impl ConfigError {
    /// An error at the value at hand.
    #[cold]
    pub fn new(why: impl Into<String>) -> Self {
        ConfigError::at_hand(why.into())
    }

    #[cold]
    #[inline(never)]
    fn at_hand(why: String) -> Self {
        ConfigError(Box::new(Mistake { path: Vec::new(), why }))
    }

    /// "expected this, found that".
    #[cold]
    #[inline(never)]
    pub fn expected(what: &str, found: &Value<'_>) -> Self {
        let [before, value, after] = found.shown();
        ConfigError::new(joined(&["expected ", what, ", found ", before, value, after]))
    }

    #[cold]
    #[inline(never)]
    fn missing(key: &str) -> Self {
        ConfigError::new(format!("`{key}` is missing"))
    }

    /// The same error, inside of this key.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn inside(mut self, key: &str) -> Self {
        self.0.path.push(key.to_owned());
        self
    }

    /// The same error, inside of this element.
    #[cold]
    #[inline(never)]
    fn inside_element(self, index: usize) -> Self {
        self.inside(&format!("{index}"))
    }

    /// As a sentence.
    pub(crate) fn sentence(&self) -> String {
        let mut path = String::new();
        for key in self.0.path.iter().rev() {
            path = joined(&[&path, if path.is_empty() { "`" } else { "." }, key]);
        }
        joined(&[&path, if path.is_empty() { "" } else { "`: " }, &self.0.why])
    }
}

/// A type that a config may hold. Implemented by `#[derive(Config)]`.
///
/// ```
/// use wasmill_sdk::{Config, ConfigError, ConfigValue, Fields, FromConfig, Loaded, Schema, Verdict};
///
/// /// A share, written as `12%`.
/// struct Percent(u8);
///
/// impl FromConfig for Percent {
///     const SCHEMA: &'static Schema = &Schema::Text;
///     fn from_value(value: ConfigValue<'_>) -> Result<Self, ConfigError> {
///         let ConfigValue::Text(text) = &value else {
///             return Err(ConfigError::expected("a share such as `12%`", &value));
///         };
///         let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
///         number.map(Percent).ok_or_else(|| ConfigError::expected("a share such as `12%`", &value))
///     }
/// }
///
/// #[derive(Config)]
/// struct Settings { share: Percent }
///
/// #[derive(Fields)]
/// struct Log { n: i64 }
///
/// #[wasmill_sdk::validator]
/// fn some(log: Log, settings: &Settings) -> Verdict {
///     if log.n % 100 < i64::from(settings.share.0) { Verdict::pass() } else { Verdict::drop() }
/// }
///
/// assert!(Loaded::<some>::configure(r#"{"share": "12%"}"#).is_ok());
/// let refused = Loaded::<some>::configure(r#"{"share": 12}"#).unwrap_err();
/// assert!(refused.contains("`share`") && refused.contains("a share such as `12%`"), "{refused}");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a part of a config",
    note = "a config holds `bool`, integers, `f64`, `String`, `Option<T>`, `Vec<T>`, `BTreeMap<String, T>`, `Scalar` and types with `#[derive(wasmill_sdk::Config)]`"
)]
pub trait FromConfig: Sized {
    /// What it may be, for the config's JSON Schema.
    const SCHEMA: &'static Schema = &Schema::Any;

    /// Reads it.
    ///
    /// # Errors
    /// When the value is of another type or out of range.
    fn from_value(value: Value<'_>) -> Result<Self, ConfigError>;

    /// What it is where its key is absent; `None`: the key is needed.
    fn when_absent() -> Option<Self> {
        None
    }
}

/// A text, number or boolean, where a config takes any of them.
///
/// ```
/// use wasmill_sdk::{Config, Scalar};
///
/// #[derive(Config)]
/// struct Settings {
///     /// `equals: 500`, `equals: "a"` or `equals: true`.
///     equals: Scalar,
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number of 64 bits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
}

impl FromConfig for bool {
    const SCHEMA: &'static Schema = &Schema::Boolean;

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        match value {
            Value::Boolean(boolean) => Ok(boolean),
            other => Err(ConfigError::expected("true or false", &other)),
        }
    }
}

impl FromConfig for String {
    const SCHEMA: &'static Schema = &Schema::Text;

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(ConfigError::expected("text", &other)),
        }
    }
}

impl FromConfig for f64 {
    const SCHEMA: &'static Schema = &Schema::Number;

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        match &value {
            Value::Number(token) => match token.parse::<f64>() {
                Ok(float) if float.is_finite() => Ok(float),
                _ => Err(ConfigError::expected("a number of 64 bits", &value)),
            },
            other => Err(ConfigError::expected("a number", other)),
        }
    }
}

macro_rules! integers {
    ($($type:ty: $minimum:literal $maximum:literal),* $(,)?) => {$(
        impl FromConfig for $type {
            const SCHEMA: &'static Schema = &Schema::Integer { minimum: $minimum, maximum: $maximum };

            fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
                let integer = match &value {
                    Value::Number(token) => token.parse().ok(),
                    _ => None,
                };
                integer.ok_or_else(|| expected_integer(&value, &<$type>::MIN, &<$type>::MAX))
            }
        }
    )*};
}

// A `usize` is that of the component, of 32 bits; what it may be natively does not matter.
integers! {
    u8: "0" "255", u16: "0" "65535", u32: "0" "4294967295", u64: "0" "18446744073709551615", usize: "0" "4294967295",
    i8: "-128" "127", i16: "-32768" "32767", i32: "-2147483648" "2147483647",
    i64: "-9223372036854775808" "9223372036854775807", isize: "-2147483648" "2147483647",
}

#[cold]
fn expected_integer(found: &Value<'_>, min: &dyn std::fmt::Display, max: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::expected(&format!("a whole number from {min} to {max}"), found)
}

impl<T: FromConfig> FromConfig for Option<T> {
    const SCHEMA: &'static Schema = &Schema::Optional(T::SCHEMA);

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn when_absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromConfig> FromConfig for Vec<T> {
    const SCHEMA: &'static Schema = &Schema::List(T::SCHEMA);

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        let elements = match value {
            Value::Array { elements, .. } => elements,
            other => return Err(ConfigError::expected("an array", &other)),
        };
        // One by one, as below: the adapters of `collect` are 2 kB.
        let mut list = Vec::with_capacity(elements.len());
        for element in elements {
            list.push(T::from_value(element).map_err(|error| error.inside_element(list.len()))?);
        }
        Ok(list)
    }
}

impl<T: FromConfig> FromConfig for BTreeMap<String, T> {
    const SCHEMA: &'static Schema = &Schema::Map(T::SCHEMA);

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        let members = match value {
            Value::Object { members, .. } => members,
            other => return Err(ConfigError::expected("an object", &other)),
        };
        // One by one: `collect` would bring a sort into the component.
        let mut map = BTreeMap::new();
        for (key, value) in members {
            let value = T::from_value(value).map_err(|error| error.inside(&key))?;
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl FromConfig for Scalar {
    const SCHEMA: &'static Schema = &Schema::Scalar;

    fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
        match value {
            Value::Boolean(boolean) => Ok(Scalar::Boolean(boolean)),
            Value::Text(text) => Ok(Scalar::Text(text)),
            Value::Number(token) => match token.parse() {
                Ok(integer) => Ok(Scalar::Integer(integer)),
                Err(_) => f64::from_value(value).map(Scalar::Float),
            },
            other => Err(ConfigError::expected("text, a number or true or false", &other)),
        }
    }
}

/// Text as a JSON token.
fn quoted(text: &str) -> String {
    let mut token = String::with_capacity(text.len() + 2);
    token.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                token.push('\\');
                token.push(char);
            }
            '\0'..='\u{1f}' => {
                token.push_str(if char < '\u{10}' { "\\u000" } else { "\\u001" });
                token.extend(char::from_digit(u32::from(char) & 15, 16));
            }
            _ => token.push(char),
        }
    }
    token.push('"');
    token
}

/// An object whose keys are known: what `#[derive(Config)]` reads a struct from.
#[doc(hidden)]
#[derive(Debug)]
pub struct Object<'j>(Vec<(String, Value<'j>)>);

impl<'j> Object<'j> {
    /// # Errors
    /// When it is no object, or has a key that is not one of `keys`.
    pub fn new(value: Value<'j>, keys: &[&str]) -> Result<Self, ConfigError> {
        let members = match value {
            Value::Object { members, .. } => members,
            other => return Err(ConfigError::expected("an object", &other)),
        };
        match members.iter().find(|(key, _)| !keys.contains(&key.as_str())) {
            Some((key, _)) => Err(ConfigError::new(format!("there is no such key; {}", choice(keys))).inside(key)),
            None => Ok(Object(members)),
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When it is needed and absent, or is wrong.
    #[cold]
    #[inline(never)]
    pub fn take<T: FromConfig>(&mut self, key: &str) -> Result<T, ConfigError> {
        match self.find(key) {
            Some(value) => T::from_value(value).map_err(|error| error.inside(key)),
            None => T::when_absent().ok_or_else(|| ConfigError::missing(key)),
        }
    }

    /// The value of a key, or this.
    ///
    /// # Errors
    /// When it is wrong.
    #[cold]
    #[inline(never)]
    pub fn take_or<T: FromConfig>(&mut self, key: &str, default: impl FnOnce() -> T) -> Result<T, ConfigError> {
        match self.find(key) {
            Some(value) => T::from_value(value).map_err(|error| error.inside(key)),
            None => Ok(default()),
        }
    }

    #[inline(never)]
    fn find(&mut self, key: &str) -> Option<Value<'j>> {
        let index = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.swap_remove(index).1)
    }
}

/// A part of a config that may have a range.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot have a range",
    note = "`#[config(range = 1..=100)]` stands on an integer or an `f64`, or on an `Option` or a `Vec` of these"
)]
pub trait Ranged {
    /// What is in the range.
    type Number: PartialOrd;

    /// Whether every number of it is in `range`.
    fn is_in(&self, range: &impl RangeBounds<Self::Number>) -> bool;
}

macro_rules! ranged {
    ($($type:ty),*) => {$(
        impl Ranged for $type {
            type Number = Self;
            fn is_in(&self, range: &impl RangeBounds<Self>) -> bool {
                range.contains(self)
            }
        }
    )*};
}

ranged!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f64);

impl<T: Ranged> Ranged for Option<T> {
    type Number = T::Number;
    fn is_in(&self, range: &impl RangeBounds<T::Number>) -> bool {
        self.as_ref().is_none_or(|one| one.is_in(range))
    }
}

impl<T: Ranged> Ranged for Vec<T> {
    type Number = T::Number;
    fn is_in(&self, range: &impl RangeBounds<T::Number>) -> bool {
        self.iter().all(|one| one.is_in(range))
    }
}

/// The value of a key, if it is in its range.
#[doc(hidden)]
pub fn ranged<T: Ranged>(
    value: T,
    range: &impl RangeBounds<T::Number>,
    key: &str,
    bounds: &str,
) -> Result<T, ConfigError> {
    if value.is_in(range) { Ok(value) } else { Err(ConfigError::new(format!("must be {bounds}")).inside(key)) }
}

/// One of an enum's names: what `#[derive(Config)]` reads an enum from.
#[doc(hidden)]
pub fn variant(value: &Value<'_>, names: &[&str]) -> Result<usize, ConfigError> {
    let found = match value {
        Value::Text(text) => names.iter().position(|name| name == text),
        _ => None,
    };
    found.ok_or_else(|| ConfigError::new(format!("{}, not {}", choice(names), joined(&value.shown()))))
}

fn choice(words: &[&str]) -> String {
    let mut choice = String::new();
    for (nth, word) in words.iter().enumerate() {
        push(&mut choice, if nth == 0 { "write `" } else { "` or `" });
        push(&mut choice, word);
    }
    push(&mut choice, if words.is_empty() { "nothing can be set here" } else { "`" });
    choice
}
