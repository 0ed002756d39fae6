//! What the operator writes.

/// The whole config; `README.md` has it as a table.
#[derive(wasmill_sdk::Config)]
pub struct Config {
    /// The paths of the fields whose text is cleaned.
    pub(crate) fields: Vec<String>,
    #[config(default = ControlCharacters::Remove)]
    pub(crate) control_characters: ControlCharacters,
    #[config(default = WhiteSpace::Keep)]
    pub(crate) white_space: WhiteSpace,
    #[config(default = TerminalEscapes::Remove)]
    pub(crate) terminal_escapes: TerminalEscapes,
    /// The most characters that a text keeps; null or 0: all.
    #[config(default = Some(MAX_CHARS))]
    pub(crate) max_chars: Option<usize>,
    #[config(default)]
    pub(crate) secrets: SecretsConfig,
    /// The path below which it is written how much was cleaned; null: nowhere.
    pub(crate) counts: Option<String>,
}

/// Room for a stack trace, and little enough for a reader and an index.
const MAX_CHARS: usize = 16_384;

/// What becomes of control characters other than tab, line feed and carriage return.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum ControlCharacters {
    Remove,
    /// By U+FFFD.
    Replace,
    Keep,
}

/// What becomes of tab, line feed and carriage return.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum WhiteSpace {
    Keep,
    /// Each becomes a space.
    Space,
}

/// What becomes of terminals' escape sequences.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum TerminalEscapes {
    Remove,
    Keep,
}

/// Which secrets are masked.
#[derive(wasmill_sdk::Config)]
#[config(default)]
pub(crate) struct SecretsConfig {
    /// A value after one of these names is a secret.
    pub(crate) names: Vec<String>,
    /// Names beside these, so that nobody has to repeat them.
    pub(crate) more_names: Vec<String>,
    pub(crate) bearer_tokens: bool,
    pub(crate) basic_credentials: bool,
    pub(crate) url_passwords: bool,
    pub(crate) card_numbers: bool,
    /// What is written in a secret's place.
    pub(crate) mask: String,
}

/// Names also match as the end of a longer one, so `client_secret` and `access_token` are among them.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "bearer",
    "api_key",
    "access_key",
    "private_key",
    "authorization",
];

impl Default for SecretsConfig {
    fn default() -> Self {
        SecretsConfig {
            names: NAMES.map(str::to_owned).to_vec(),
            more_names: Vec::new(),
            bearer_tokens: true,
            basic_credentials: true,
            url_passwords: true,
            card_numbers: true,
            mask: "***".to_owned(),
        }
    }
}
