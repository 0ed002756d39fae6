//! What the operator writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmill_sdk::{Cell, ConfigError, ConfigValue, FromConfig};

/// The whole config; `README.md` has it as a table.
#[derive(wasmill_sdk::Config)]
pub struct Config {
    /// Written to `env`.
    pub(crate) env: Option<String>,
    /// Values by the path of their field, written to every event.
    #[config(default)]
    pub(crate) constants: BTreeMap<String, Constant>,
    /// Values that depend on one field of the event.
    pub(crate) lookup: Option<Lookup>,
    /// Whether `metadata.enriched_at` is written.
    #[config(default = true)]
    pub(crate) enriched_at: bool,
    /// Written to `metadata.enrichment_version`; null: nothing is.
    #[config(default = Some(env!("CARGO_PKG_VERSION").to_owned()))]
    pub(crate) enrichment_version: Option<String>,
}

/// Values that depend on one field of the event.
#[derive(wasmill_sdk::Config)]
pub(crate) struct Lookup {
    /// The path of the field whose text is looked up.
    pub(crate) field: String,
    /// By that text: values by the path of their field.
    pub(crate) table: BTreeMap<String, BTreeMap<String, Constant>>,
    /// The values where the field's text is not in the table, or there is no text.
    #[config(default)]
    pub(crate) default: BTreeMap<String, Constant>,
}

/// Any JSON value, to be written as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    /// For a field of its own kind. A number with a fraction is kept as its token.
    pub(crate) cell: Cell,
    /// For a field that has values of several kinds.
    pub(crate) token: Arc<str>,
}

impl Constant {
    pub(crate) fn text(text: &str) -> Self {
        Self::new(&ConfigValue::Text(text.to_owned()))
    }

    fn new(value: &ConfigValue<'_>) -> Self {
        let token: Arc<str> = value.token().into();
        let cell = match value {
            ConfigValue::Null => Cell::Null,
            ConfigValue::Boolean(boolean) => Cell::Boolean(*boolean),
            ConfigValue::Text(text) => Cell::Text(text.as_str().into()),
            ConfigValue::Number(number) => match number.parse() {
                Ok(integer) => Cell::Integer(integer),
                Err(_) => Cell::Json(token.clone()),
            },
            ConfigValue::Array { .. } | ConfigValue::Object { .. } => Cell::Json(token.clone()),
        };
        Constant { cell, token }
    }
}

impl FromConfig for Constant {
    fn from_value(value: ConfigValue<'_>) -> Result<Self, ConfigError> {
        Ok(Self::new(&value))
    }
}
