//! Secrets in a text, found from left to right. What is masked already is found no more.

use std::ops::Range;

use crate::bytes;
use crate::cards;
use crate::config::SecretsConfig;
use crate::credentials;
use crate::names::{self, Names};

/// What is a secret.
pub(crate) struct Secrets {
    names: Names,
    has_names: bool,
    bearer_tokens: bool,
    basic_credentials: bool,
    url_passwords: bool,
    card_numbers: bool,
    mask: String,
}

/// A secret in a text.
pub(crate) struct Secret {
    /// Where that begins which shows that it is one.
    pub(crate) trigger: usize,
    /// What is to be masked.
    pub(crate) span: Range<usize>,
    pub(crate) is_card: bool,
}

impl Secrets {
    pub(crate) fn new(config: &SecretsConfig) -> Result<Self, String> {
        let all_names = || config.names.iter().chain(&config.more_names);
        if all_names().count() > NAMES_MAX {
            return Err(format!(
                "there are over {NAMES_MAX} names of secrets: leave those out that end with another one"
            ));
        }
        let secrets = Secrets {
            names: Names::new(all_names())?,
            has_names: all_names().next().is_some(),
            bearer_tokens: config.bearer_tokens,
            basic_credentials: config.basic_credentials,
            url_passwords: config.url_passwords,
            card_numbers: config.card_numbers,
            mask: config.mask.clone(),
        };
        secrets.check_mask()?;
        Ok(secrets)
    }

    /// Whether there is anything to look for.
    pub(crate) fn is_on(&self) -> bool {
        self.has_names || self.bearer_tokens || self.basic_credentials || self.url_passwords || self.card_numbers
    }

    pub(crate) fn mask(&self) -> &str {
        &self.mask
    }

    /// What is masked must be found no more: the mask is no part of anything that is looked for.
    fn check_mask(&self) -> Result<(), String> {
        let mask = self.mask.as_bytes();
        let is_of_mask = |byte: &u8| byte.is_ascii_alphabetic() || b"*#_-.[](){}<>".contains(byte);
        if mask.is_empty() || mask.len() > MASK_BYTES_MAX || !mask.iter().all(is_of_mask) {
            return Err(format!(
                "`mask` is {:?}: write 1 to {MASK_BYTES_MAX} letters and characters of *#_-.[](){{}}<>",
                self.mask
            ));
        }
        let ends_with = |word: &str| self.mask.to_ascii_lowercase().ends_with(word);
        let key = &mask[..names::end_of_key(mask, mask.len())];
        if self.names.start_of_last(key).is_some() || ends_with("bearer") || ends_with("basic") {
            return Err(format!("`mask` is {:?}, which looks like the name of a secret: write another one", self.mask));
        }
        Ok(())
    }

    /// The secrets of a text, from left to right.
    #[inline(always)]
    pub(crate) fn of<'t>(&'t self, text: &'t str) -> Scanner<'t> {
        let bytes = text.as_bytes();
        Scanner { secrets: self, bytes, at: 0, url: None, has_digits: self.card_numbers && cards::may_be_in(bytes) }
    }
}

/// More than anybody needs, and few enough for each to be compared.
const NAMES_MAX: usize = 64;
const MASK_BYTES_MAX: usize = 32;

/// A text on the way.
pub(crate) struct Scanner<'t> {
    secrets: &'t Secrets,
    bytes: &'t [u8],
    at: usize,
    /// Where the last URL with a password begins, and the password in it.
    url: Option<(usize, Range<usize>)>,
    /// Whether digits are looked at: most texts cannot have a card's number.
    has_digits: bool,
}

impl Iterator for Scanner<'_> {
    type Item = Secret;

    #[inline(always)]
    fn next(&mut self) -> Option<Secret> {
        loop {
            let at = if self.has_digits { self.next_or_digit() } else { self.next_without_digits() }?;
            self.at = at + 1;
            let found = match self.bytes[at] {
                b'=' => self.named(at),
                b':' if self.url.as_ref().is_some_and(|(_, password)| password.start == at + 1) => self.url_password(),
                b':' => self.named(at).or_else(|| self.note_url(at)),
                b'0'..=b'9' => self.card(at),
                b'b' | b'B' => self.credentials(at),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
    }
}

impl Scanner<'_> {
    /// The next byte that may show a secret.
    #[inline(always)]
    fn next_without_digits(&self) -> Option<usize> {
        bytes::find(
            self.bytes,
            self.at,
            |block| {
                bytes::any(block, |byte| byte == b'=')
                    | bytes::any(block, |byte| byte == b':')
                    | bytes::any(block, |byte| byte | 0x20 == b'b')
            },
            |word| bytes::equal(word, b'=') | bytes::equal(word, b':') | bytes::equal(word | bytes::all(0x20), b'b'),
        )
    }

    /// The same, or the next digit.
    #[inline(never)]
    fn next_or_digit(&self) -> Option<usize> {
        bytes::find(
            self.bytes,
            self.at,
            |block| bytes::any(block, |byte| byte & 0xf0 == 0x30) | bytes::any(block, |byte| byte | 0x20 == b'b'),
            |word| bytes::digits_and_separators(word) | bytes::equal(word | bytes::all(0x20), b'b'),
        )
    }

    /// Goes on behind it, unless it is masked already or empty.
    fn secret(&mut self, trigger: usize, span: Range<usize>) -> Option<Secret> {
        self.at = self.at.max(span.end);
        let is_secret = !span.is_empty() && self.bytes[span.clone()] != *self.secrets.mask.as_bytes();
        is_secret.then_some(Secret { trigger, span, is_card: false })
    }

    /// The value of a secret's name before the separator at `at`.
    #[inline(always)]
    fn named(&mut self, at: usize) -> Option<Secret> {
        let key = &self.bytes[..names::end_of_key(self.bytes, at)];
        let trigger = self.secrets.names.start_of_last(key)?;
        self.value(trigger, at)
    }

    #[inline(never)]
    fn value(&mut self, trigger: usize, at: usize) -> Option<Secret> {
        let span = names::value(self.bytes, at, self.secrets.mask.as_bytes());
        self.secret(trigger, span)
    }

    /// Remembers a URL's password for when its colon is met: its user may have secrets too.
    #[inline(always)]
    fn note_url(&mut self, at: usize) -> Option<Secret> {
        if self.secrets.url_passwords && self.bytes.get(at + 1) == Some(&b'/') {
            self.url = credentials::url_password(self.bytes, at).map(|password| (at, password));
        }
        None
    }

    #[inline(never)]
    fn url_password(&mut self) -> Option<Secret> {
        let (url, password) = self.url.take()?;
        self.secret(url, password)
    }

    #[inline(always)]
    fn credentials(&mut self, at: usize) -> Option<Secret> {
        let (bytes, mask) = (self.bytes, self.secrets.mask.as_bytes());
        let span = match bytes.get(at + 1)? | 0x20 {
            b'e' if self.secrets.bearer_tokens => credentials::bearer(bytes, at, mask),
            b'a' if self.secrets.basic_credentials => credentials::basic(bytes, at, mask),
            _ => None,
        };
        self.secret(at, span?)
    }

    #[inline(never)]
    fn card(&mut self, at: usize) -> Option<Secret> {
        let look = cards::look(self.bytes, at);
        let card = look.card.filter(|_| self.secrets.card_numbers);
        // What stays of a number may begin another one.
        self.at = card.as_ref().map_or(look.end, |card| card.end);
        card.map(|span| Secret { trigger: at, span, is_card: true })
    }
}
