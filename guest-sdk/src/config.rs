//! From the JSON object that the operator wrote to what the plugin's function takes.

mod json;
pub(crate) mod schema;
pub(crate) mod value;

use crate::columns::{EventColumns, Suspects};
use crate::field::Field;
use value::{FromConfig, Value};

/// What a plugin's function takes as its second parameter: its config, or something made of it once, before the first event.
///
/// `#[derive(Config)]` implements it for the config itself. Implement it by hand for a prepared form:
///
/// ```
/// use wasmill_sdk::{Config, Field, Kind, Prepare};
///
/// /// What the operator writes.
/// #[derive(Config)]
/// struct Limits { field: String, longest: usize }
///
/// /// What the plugin's function takes.
/// struct Ready { field: String, longest: usize }
///
/// impl Prepare for Ready {
///     type Config = Limits;
///     fn prepare(config: Limits) -> Result<Self, String> {
///         if config.longest == 0 {
///             return Err("`longest` is 0, which no text fits; write at least 1".into());
///         }
///         Ok(Ready { field: config.field, longest: config.longest })
///     }
///     fn reads(&self) -> Vec<Field> {
///         vec![Field::new(self.field.clone(), Kind::Text)]
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made from a plugin's config",
    note = "put `#[derive(wasmill_sdk::Config)]` on it, or implement `wasmill_sdk::Prepare` for a form that is made once from a config"
)]
pub trait Prepare: Sized + Send + Sync + 'static {
    /// What the operator writes.
    type Config: FromConfig;

    /// Checks the config and makes what the plugin needs of it.
    ///
    /// # Errors
    /// A sentence for the operator; the load is refused.
    fn prepare(config: Self::Config) -> Result<Self, String>;

    /// Fields to read that only the config names; they come as the `#[field(dynamic)]` [`Slots`](crate::Slots).
    fn reads(&self) -> Vec<Field> {
        Vec::new()
    }

    /// Fields to write that only the config names; they are the `#[field(dynamic)]` [`Cell`](crate::Cell)s.
    fn writes(&self) -> Vec<Field> {
        Vec::new()
    }

    /// Whether with this config the plugin keeps state, where its attribute says that it may. If not it needs no grant for it, and
    /// must not ask for any.
    fn keeps_state(&self) -> bool {
        true
    }

    /// The events of a batch that a validator has to judge one by one; all others pass. `None`, as it is here: every event.
    ///
    /// Asked once per batch, so that checks can go column by column, which costs a fraction of what going event by event costs. To
    /// suspect an event that is right costs only time. Asked only of a plugin whose fields are all named by its config, since
    /// what its struct names is looked at event by event.
    fn suspects(&self, columns: EventColumns<'_>) -> Option<Suspects> {
        let _ = columns;
        None
    }

    #[doc(hidden)]
    fn from_json(json: &str) -> Result<Self, String> {
        let value = json::parse(json)?;
        if !matches!(value, Value::Object { .. }) {
            return Err("the config is not an object".to_owned());
        }
        Self::prepare(Self::Config::from_value(value).map_err(|error| error.sentence())?)
    }
}

/// The config of a plugin that has none: an empty object.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct NoConfig;

impl Prepare for NoConfig {
    type Config = NoConfig;
    fn prepare(config: NoConfig) -> Result<Self, String> {
        Ok(config)
    }
}

impl FromConfig for NoConfig {
    const SCHEMA: &'static schema::Schema = &schema::Schema::Object(&[]);

    fn from_value(value: Value<'_>) -> Result<Self, value::ConfigError> {
        match value {
            Value::Object { members, .. } if members.is_empty() => Ok(NoConfig),
            _ => Err(value::ConfigError::new("this plugin has no config: remove it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::value::{ConfigError, Scalar};
    use super::*;
    use crate::Config;

    #[derive(Config, Debug, PartialEq)]
    struct Outer {
        inner: BTreeMap<String, Inner>,
        #[config(default)]
        on: bool,
        #[config(default = 64)]
        many: usize,
        maybe: Option<f64>,
        #[config(rename = "type")]
        ty: Type,
    }

    #[derive(Config, Debug, PartialEq)]
    #[config(default)]
    struct Inner {
        longest: u32,
        words: Vec<String>,
    }

    impl Default for Inner {
        fn default() -> Self {
            Inner { longest: 7, words: vec!["x".to_owned()] }
        }
    }

    #[derive(Config, Debug, PartialEq)]
    enum Type {
        Text,
        EpochMs,
        #[config(rename = "rfc3339")]
        Rfc,
    }

    #[derive(Config, Debug, PartialEq)]
    struct Loose {
        scalars: Vec<Scalar>,
        tokens: Vec<Token>,
    }

    #[derive(Debug, PartialEq)]
    struct Token(String);

    impl FromConfig for Token {
        fn from_value(value: Value<'_>) -> Result<Self, ConfigError> {
            Ok(Token(value.token()))
        }
    }

    fn error(json: &str) -> String {
        Outer::from_json(json).unwrap_err()
    }

    #[test]
    fn a_config_is_read_with_its_defaults() {
        let outer = Outer::from_json(r#" {"inner": {"a": {"longest": 3}, "b": {}}, "type": "epoch_ms"} "#).unwrap();
        let inner = |longest| Inner { longest, ..Inner::default() };
        let inner = BTreeMap::from([("a".to_owned(), inner(3)), ("b".to_owned(), inner(7))]);
        assert_eq!(outer, Outer { inner, on: false, many: 64, maybe: None, ty: Type::EpochMs });
        let outer =
            Outer::from_json(r#"{"inner": {}, "type": "rfc3339", "on": true, "many": 1, "maybe": 1.5}"#).unwrap();
        assert_eq!(outer, Outer { inner: BTreeMap::new(), on: true, many: 1, maybe: Some(1.5), ty: Type::Rfc });
        assert_eq!(Outer::from_json(r#"{"inner": {}, "type": "text", "maybe": null}"#).unwrap().maybe, None);
    }

    #[test]
    fn values_of_several_types_keep_their_form() {
        let json = r#"{"scalars": [true, 1, -1.5, "1", 9223372036854775808], "tokens": [null, {"a" : 1}, "q\"\n"]}"#;
        let Loose { scalars, tokens } = Loose::from_json(json).unwrap();
        let large = Scalar::Float(9_223_372_036_854_775_808.0);
        let text = Scalar::Text("1".to_owned());
        assert_eq!(scalars, [Scalar::Boolean(true), Scalar::Integer(1), Scalar::Float(-1.5), text, large]);
        assert_eq!(tokens, ["null", r#"{"a" : 1}"#, r#""q\"\u000a""#].map(|token| Token(token.to_owned())));
    }

    #[test]
    fn an_error_names_the_place_and_the_choice() {
        let in_a = |inner: &str| error(&format!(r#"{{"inner": {{"a": {inner}}}, "type": "text"}}"#));
        assert_eq!(
            in_a(r#"{"longest": "x"}"#),
            "`inner.a.longest`: expected a whole number from 0 to 4294967295, found the text \"x\""
        );
        assert_eq!(in_a(r#"{"longest": -1}"#).split(", ").last(), Some("found the number -1"));
        assert_eq!(in_a(r#"{"longest": 4294967296}"#).split(", ").last(), Some("found the number 4294967296"));
        assert_eq!(in_a(r#"{"longset": 2}"#), "`inner.a.longset`: there is no such key; write `longest` or `words`");
        assert_eq!(in_a(r#"{"words": ["x", 1]}"#), "`inner.a.words.1`: expected text, found the number 1");
        assert_eq!(in_a("[]"), "`inner.a`: expected an object, found an array");
        assert_eq!(error(r#"{"inner": {}}"#), "`type` is missing");
        let ty = error(r#"{"inner": {}, "type": "Text"}"#);
        assert_eq!(ty, "`type`: write `text` or `epoch_ms` or `rfc3339`, not the text \"Text\"");
        let infinite = error(r#"{"inner": {}, "type": "text", "maybe": 1e999}"#);
        assert_eq!(infinite, "`maybe`: expected a number of 64 bits, found the number 1e999");
    }

    #[test]
    fn a_config_is_one_json_object() {
        assert_eq!(error("[]"), "the config is not an object");
        assert!(error("").starts_with("the config is not JSON at byte 0"));
        assert!(error(r#"{"inner": {}} {}"#).ends_with("something follows the value"));
    }

    #[test]
    fn a_plugin_without_config_takes_an_empty_object_only() {
        assert!(NoConfig::from_json(" { } ").is_ok());
        assert_eq!(NoConfig::from_json(r#"{"a": 1}"#).unwrap_err(), "this plugin has no config: remove it");
    }
}
