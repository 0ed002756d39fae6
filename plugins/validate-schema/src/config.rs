//! What the operator writes.

use std::collections::BTreeMap;

use wasmill_sdk::{ConfigError, ConfigValue, FromConfig};

/// The whole config; `README.md` has it as a table.
#[derive(wasmill_sdk::Config)]
pub struct Config {
    /// What an event has to fit.
    pub(crate) schema: SchemaText,
    /// By their URI, schemas that references lead to.
    #[config(default)]
    pub(crate) schemas: BTreeMap<String, SchemaText>,
    #[config(default = Formats::Annotate)]
    pub(crate) formats: Formats,
    /// Values of one event, keys counted too; and as many escapes in its texts.
    #[config(default = 8_192)]
    pub(crate) values_max: usize,
    /// Steps that the answer about one event may take.
    #[config(default = 20_000)]
    pub(crate) steps_max: u32,
    /// The field that is held against the schema; without it the whole payload.
    pub(crate) field: Option<String>,
}

/// What `format` does.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum Formats {
    /// Nothing.
    Annotate,
    /// A text that does not have the format does not fit.
    Assert,
}

/// A schema, as it stands in the config.
pub(crate) struct SchemaText(pub(crate) String);

impl FromConfig for SchemaText {
    fn from_value(value: ConfigValue<'_>) -> Result<Self, ConfigError> {
        match value {
            ConfigValue::Object { .. } | ConfigValue::Boolean(_) => Ok(SchemaText(value.token())),
            other => Err(ConfigError::expected("a schema, which is an object, true or false", &other)),
        }
    }
}
