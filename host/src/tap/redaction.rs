//! What a tap never shows: the values of fields whose names say that they are secret, and the same values wherever else a line would
//! repeat them.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use wasmill_core::{Path, PathError};

/// What stands in the place of a secret.
pub(super) const MASK: &str = "[redacted]";
/// Names of fields that are secret in every pipeline, as their words.
pub const SECRET_NAMES: [&str; 20] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "session_id",
    "jwt",
];
/// The shortest value that is looked for elsewhere: shorter ones are parts of all kinds of words.
const CHARS_MIN: usize = 4;
/// So many characters of a value are enough to know it: sentences cut what they quote.
const HEAD_CHARS: usize = 8;
/// Most values, and ways to write them, that are looked for in an event; if there are more, no text of the event is shown.
const VALUES_MAX: usize = 64;

/// Which fields are secret: a name, of any field at any depth, or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretField {
    /// The words of a name: `api_key` is also `apiKey`, `API-Key`, and a part of `old_api_key_id`.
    Named(Vec<String>),
    /// The field at this path, and what is below it.
    At(Path),
}

/// What is no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFieldError {
    /// It has no letter and no digit.
    #[error(
        "the name \"{0}\" has neither a letter nor a digit; write a field's name such as email, or a path such as user.email"
    )]
    NoWord(String),
    /// It has dots, and is no path.
    #[error("{0}")]
    Path(#[from] PathError),
}

/// Takes secrets out of events.
#[derive(Clone, Debug)]
pub struct Redaction {
    fields: Vec<SecretField>,
}

/// The values that were taken out of an event.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    values: Vec<Secret>,
    /// There are more of them.
    are_too_many: bool,
}

/// A value, and how many bytes of it are its head.
#[derive(Debug)]
struct Secret {
    text: String,
    head: usize,
}

impl FromStr for SecretField {
    type Err = SecretFieldError;

    fn from_str(text: &str) -> Result<Self, SecretFieldError> {
        if text.contains('.') {
            return Ok(Self::At(text.parse()?));
        }
        let words = words(text);
        if words.is_empty() { Err(SecretFieldError::NoWord(text.to_owned())) } else { Ok(Self::Named(words)) }
    }
}

impl fmt::Display for SecretField {
    /// As it may be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(words) => f.write_str(&words.join("_")),
            Self::At(path) => path.fmt(f),
        }
    }
}

impl Redaction {
    /// Of fields with the [`SECRET_NAMES`], and of these.
    pub fn new(fields: impl Iterator<Item = SecretField>) -> Self {
        let always = SECRET_NAMES.iter().map(|name| SecretField::Named(words(name)));
        Self { fields: always.chain(fields).collect() }
    }

    /// Takes the values of secret fields out of a payload, and adds them to `secrets`.
    pub(super) fn take(&self, payload: &mut Value, secrets: &mut Secrets) {
        self.take_below(payload, &mut Vec::new(), secrets);
    }

    fn take_below(&self, value: &mut Value, path: &mut Vec<String>, secrets: &mut Secrets) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    path.push(key.clone());
                    if self.is_secret(path) {
                        secrets.add_all(member);
                        *member = Value::from(MASK);
                    } else {
                        self.take_below(member, path, secrets);
                    }
                    path.pop();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.take_below(value, path, secrets)),
            _ => {}
        }
    }

    /// Whether the field at `path` is secret; what is above it is not.
    fn is_secret(&self, path: &[String]) -> bool {
        let Some(name) = path.last() else { return false };
        let name = words(name);
        self.fields.iter().any(|field| match field {
            SecretField::Named(words) => name.windows(words.len()).any(|part| part == words.as_slice()),
            SecretField::At(at) => at.keys() == path,
        })
    }
}

impl Secrets {
    fn add_all(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.add(number.to_string()),
            Value::String(text) => {
                // As sentences quote it, too.
                let quoted = Value::from(text.as_str()).to_string();
                self.add(quoted[1..quoted.len() - 1].to_owned());
                self.add(text.escape_debug().to_string());
                self.add(text.clone());
            }
            Value::Array(values) => values.iter().for_each(|value| self.add_all(value)),
            Value::Object(members) => members.values().for_each(|value| self.add_all(value)),
        }
    }

    fn add(&mut self, text: String) {
        let is_known = self.values.iter().any(|value| value.text == text);
        if text.chars().nth(CHARS_MIN - 1).is_none() || is_known {
            return;
        }
        if self.values.len() < VALUES_MAX {
            let head = text.char_indices().nth(HEAD_CHARS).map_or(text.len(), |(end, _)| end);
            self.values.push(Secret { text, head });
        } else {
            self.are_too_many = true;
        }
    }

    /// `text` with a mask for each place where the head of one of them stands, as far as it goes on like one of them.
    pub(super) fn out_of(&self, text: &str) -> String {
        if self.are_too_many {
            return MASK.to_owned();
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match self.values.iter().filter_map(|secret| secret.begins(rest)).max() {
                Some(bytes) => {
                    shown.push_str(MASK);
                    rest = &rest[bytes..];
                }
                None => {
                    shown.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        shown
    }

    /// Takes them out of every text of a payload.
    pub(super) fn take_out_of(&self, value: &mut Value) {
        match value {
            Value::String(text) if text != MASK => *text = self.out_of(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.take_out_of(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.take_out_of(value)),
            _ => {}
        }
    }
}

impl Secret {
    /// How many bytes of it `text` begins with, where it begins with its head.
    fn begins(&self, text: &str) -> Option<usize> {
        let is_there = text.as_bytes().starts_with(&self.text.as_bytes()[..self.head]);
        let alike = || text.chars().zip(self.text.chars()).take_while(|(one, other)| one == other);
        is_there.then(|| alike().map(|(c, _)| c.len_utf8()).sum())
    }
}

/// The words of a name, in lower case: `userAPIKey` and `user-api_key` are user, api, key; `password2` is password, 2.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (n, c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = n.checked_sub(1).map(|before| chars[before]);
        let ends_lower = before.is_some_and(char::is_lowercase) && c.is_uppercase();
        let ends_upper = before.is_some_and(char::is_uppercase)
            && c.is_uppercase()
            && chars.get(n + 1).is_some_and(|next| next.is_lowercase());
        let ends_number = before.is_some_and(|before| before.is_numeric() != c.is_numeric());
        if ends_lower || ends_upper || ends_number {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(fields: &[&str], mut payload: Value) -> (Value, Secrets) {
        let redaction = Redaction::new(fields.iter().map(|field| field.parse().unwrap()));
        let mut secrets = Secrets::default();
        redaction.take(&mut payload, &mut secrets);
        secrets.take_out_of(&mut payload);
        (payload, secrets)
    }

    #[test]
    fn names_are_words_however_they_are_joined() {
        for (name, expected) in [
            ("userAPIKey", "user api key"),
            ("user-api_key", "user api key"),
            ("DB.Password2", "db password 2"),
            ("oauth2Token", "oauth 2 token"),
            ("hostname", "hostname"),
            ("__", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn fields_with_secret_names_are_redacted_at_any_depth_and_others_are_not() {
        let payload = json!({
            "password": "hunter2", "user": { "accessToken": { "a": ["deep-secret"] }, "name": "me" }, "list": [{ "API-Key": 7 }],
            "tokenizer": "x", "Set-Cookie": null, "passwordless": true,
        });
        let (shown, _) = redacted(&[], payload);
        let expected = json!({
            "password": MASK, "user": { "accessToken": MASK, "name": "me" }, "list": [{ "API-Key": MASK }],
            "tokenizer": "x", "Set-Cookie": MASK, "passwordless": true,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn every_name_of_the_list_is_redacted() {
        for name in SECRET_NAMES {
            let (shown, _) = redacted(&[], json!({ name: "value", (name.to_uppercase()): "value" }));
            assert!(!shown.to_string().contains("value"), "{shown}");
        }
    }

    #[test]
    fn more_fields_are_redacted_by_name_or_path() {
        let payload = json!({ "email": "a@b.c", "user": { "e-mail": 1, "city": "Rome" }, "city": "Oslo" });
        let (shown, _) = redacted(&["email", "user.city"], payload);
        assert_eq!(shown, json!({ "email": MASK, "user": { "e-mail": 1, "city": MASK }, "city": "Oslo" }));
        assert!(matches!("--".parse::<SecretField>(), Err(SecretFieldError::NoWord(_))));
        assert!(matches!("a..b".parse::<SecretField>(), Err(SecretFieldError::Path(_))));
    }

    #[test]
    fn value_of_a_secret_field_is_masked_wherever_it_is_repeated_even_cut_or_quoted() {
        let payload = json!({ "token": "abcdefghijkl\"mn", "pin": 1, "secret": 123_456, "message": "with abcdefghijkl\"mn and 123456" });
        let (shown, secrets) = redacted(&[], payload);
        assert_eq!(shown["message"], format!("with {MASK} and {MASK}"));
        assert_eq!(secrets.out_of("cut: abcdefghij…, short: abcdefg"), format!("cut: {MASK}…, short: abcdefg"));
        assert_eq!(secrets.out_of(r#"{"token":"abcdefghijkl\"mn"}"#), format!(r#"{{"token":"{MASK}"}}"#));
    }

    #[test]
    fn values_that_begin_alike_are_masked_to_their_ends() {
        let (shown, secrets) = redacted(
            &[],
            json!({ "tokens": ["key-0123456789-one", "key-0123456789-two"], "text": "key-0123456789-two" }),
        );
        assert_eq!(shown["text"], MASK);
        assert_eq!(secrets.out_of("key-0123456789-onekey-0123456789-two!"), format!("{MASK}{MASK}!"));
        let (_, secrets) = redacted(&[], json!({ "secret": "hunter\u{1b}hunter" }));
        assert_eq!(secrets.out_of("is `hunter\\u{1b}hunter`"), format!("is `{MASK}`"));
    }

    #[test]
    fn short_values_are_masked_in_their_field_alone() {
        let (shown, _) = redacted(&[], json!({ "secret": "abc", "passwd": "abcd", "text": "abc abcd" }));
        assert_eq!(shown["text"], format!("abc {MASK}"));
        assert_eq!((&shown["secret"], &shown["passwd"]), (&json!(MASK), &json!(MASK)));
    }

    #[test]
    fn event_with_too_many_secrets_shows_no_text() {
        let secrets = |count: usize| (0..count).map(|n| format!("secret {n}")).collect::<Vec<_>>();
        let shown = |count| redacted(&[], json!({ "tokens": secrets(count), "text": "plain", "n": 1 })).0;
        assert_eq!(shown(VALUES_MAX), json!({ "tokens": MASK, "text": "plain", "n": 1 }));
        assert_eq!(shown(VALUES_MAX + 1), json!({ "tokens": MASK, "text": MASK, "n": 1 }));
    }
}
