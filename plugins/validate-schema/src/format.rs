//! The formats of 2020-12, where the config says that they are asserted.

mod host;
mod time;

use std::net::{Ipv4Addr, Ipv6Addr};

use fluent_uri::{Iri, IriRef, Uri, UriRef};

use crate::ecma;

/// A format that can be asserted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    name: &'static str,
    fits: fn(&str) -> bool,
}

type Rule = (&'static str, fn(&str) -> bool);

/// Every format but `idn-hostname`, whose rules are tables of Unicode that are larger than the rest of the plugin.
const FORMATS: [Rule; 18] = [
    ("date", time::is_date),
    ("date-time", time::is_date_time),
    ("duration", time::is_duration),
    ("email", host::is_email),
    ("hostname", host::is_hostname),
    ("idn-email", host::is_idn_email),
    ("ipv4", |text| text.parse::<Ipv4Addr>().is_ok()),
    ("ipv6", |text| text.parse::<Ipv6Addr>().is_ok()),
    ("iri", |text| Iri::parse(text).is_ok()),
    ("iri-reference", |text| IriRef::parse(text).is_ok()),
    ("json-pointer", is_json_pointer),
    ("regex", |text| ecma::translate(text).is_ok()),
    ("relative-json-pointer", is_relative_json_pointer),
    ("time", time::is_time),
    ("uri", |text| Uri::parse(text).is_ok()),
    ("uri-reference", |text| UriRef::parse(text).is_ok()),
    ("uri-template", is_uri_template),
    ("uuid", is_uuid),
];

impl Format {
    /// A format by its name.
    ///
    /// # Errors
    /// A sentence, when no such format can be asserted.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let found = FORMATS.into_iter().find(|(known, _)| *known == name);
        found.map(|(name, fits)| Format { name, fits }).ok_or_else(|| {
            let names = FORMATS.map(|(known, _)| known).join(", ");
            format!("the format `{name}` cannot be asserted; these can: {names}; or leave `formats` at `annotate`")
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a text has the format.
    pub(crate) fn fits(&self, text: &str) -> bool {
        (self.fits)(text)
    }
}

/// RFC 6901
fn is_json_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

/// A number of levels to go up, and a pointer or `#`.
fn is_relative_json_pointer(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (levels, rest) = text.split_at(digits);
    let is_number = digits == 1 || digits > 1 && !levels.starts_with('0');
    is_number && (rest == "#" || is_json_pointer(rest))
}

/// RFC 6570
fn is_uri_template(text: &str) -> bool {
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((expression, next)) = after.split_once('}') else { return false };
        let expression = expression.strip_prefix(['+', '#', '.', '/', ';', '?', '&']).unwrap_or(expression);
        if !is_template_literal(literal) || !expression.split(',').all(is_template_variable) {
            return false;
        }
        rest = next;
    }
    is_template_literal(rest)
}

fn is_template_literal(text: &str) -> bool {
    let is_allowed =
        |c: char| !c.is_control() && !matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    text.chars().all(is_allowed) && text.split('%').skip(1).all(begins_with_hex)
}

fn begins_with_hex(text: &str) -> bool {
    text.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `name`, `name:3`, `name*`
fn is_template_variable(text: &str) -> bool {
    let is_length = |length: &str| {
        (1..=4).contains(&length.len()) && !length.starts_with('0') && length.bytes().all(|byte| byte.is_ascii_digit())
    };
    let name = match text.split_once(':') {
        Some((name, length)) if is_length(length) => name,
        Some(_) => return false,
        None => text.strip_suffix('*').unwrap_or(text),
    };
    let is_part = |part: &str| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%');
        !part.is_empty() && part.bytes().all(is_name) && part.split('%').skip(1).all(begins_with_hex)
    };
    name.split('.').all(is_part)
}

/// RFC 4122
fn is_uuid(text: &str) -> bool {
    let is_place = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_place)
}
