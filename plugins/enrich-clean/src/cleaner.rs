//! The config, ready to be applied: control characters go first, so that nothing hides a secret, and length comes last, so that
//! no secret is cut in two.

use wasmill_sdk::{Cell, Field, Kind, Prepare, Slots};

use crate::config::Config;
use crate::controls::Controls;
use crate::secrets::{Scanner, Secret, Secrets};

/// The prepared config.
pub struct Cleaner {
    fields: Vec<String>,
    counts: Option<String>,
    controls: Controls,
    secrets: Secrets,
    max_chars: usize,
}

/// Each is read, and written when it changes.
const FIELDS_MAX: usize = 64;

/// What stands where a text was cut.
const CUT: char = '…';

/// How much was cleaned of an event.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) control_characters: i64,
    pub(crate) terminal_escapes: i64,
    secrets: i64,
    card_numbers: i64,
    cut_texts: i64,
}

impl Counts {
    /// Below the path that the config names, in the order of `cells`.
    const KEYS: [&str; 5] = ["control_characters", "terminal_escapes", "secrets", "card_numbers", "cut_texts"];

    fn cells(&self) -> [Cell; 5] {
        let counts = [self.control_characters, self.terminal_escapes, self.secrets, self.card_numbers, self.cut_texts];
        counts.map(Cell::Integer)
    }
}

impl Prepare for Cleaner {
    type Config = Config;

    fn prepare(config: Config) -> Result<Self, String> {
        check_paths(&config.fields, config.counts.as_deref())?;
        let cleaner = Cleaner {
            controls: Controls::new(&config),
            secrets: Secrets::new(&config.secrets).map_err(|why| format!("`secrets`: {why}"))?,
            max_chars: config.max_chars.filter(|max| *max > 0).unwrap_or(usize::MAX),
            fields: config.fields,
            counts: config.counts,
        };
        if !cleaner.controls.is_on() && !cleaner.secrets.is_on() && cleaner.max_chars == usize::MAX {
            return Err("nothing would be cleaned: every cleaner is switched off".into());
        }
        Ok(cleaner)
    }

    fn reads(&self) -> Vec<Field> {
        self.fields.iter().map(|field| Field::new(field.clone(), Kind::Text)).collect()
    }

    fn writes(&self) -> Vec<Field> {
        let count = |path: &String| Counts::KEYS.map(|key| Field::new(format!("{path}.{key}"), Kind::Integer));
        self.reads().into_iter().chain(self.counts.iter().flat_map(count)).collect()
    }
}

impl Cleaner {
    /// What is written to an event; `None`: all of its fields are clean.
    #[inline]
    pub(crate) fn clean_fields(&self, slots: Slots<'_>) -> Option<Vec<Cell>> {
        let mut counts = Counts::default();
        let mut cells = Vec::new();
        for field in 0..slots.len() {
            if let Some(cleaned) = slots.text(field).and_then(|text| self.clean(text, &mut counts)) {
                cells.resize(slots.len(), Cell::Keep);
                cells[field] = Cell::Text(cleaned.into());
            }
        }
        if cells.is_empty() {
            return None;
        }
        if self.counts.is_some() {
            cells.extend(counts.cells());
        }
        Some(cells)
    }

    /// The text as it is written; `None`: it is clean.
    #[inline]
    pub(crate) fn clean(&self, text: &str, counts: &mut Counts) -> Option<String> {
        if let Some(begin) = self.begin_of_longer(text) {
            return Some(self.clean_begin(begin, counts));
        }
        let cleaned = self.clean_all(text, counts);
        match self.cut(cleaned.as_deref().unwrap_or(text)) {
            Some(cut) => {
                counts.cut_texts += 1;
                Some(cut)
            }
            None => cleaned,
        }
    }

    #[inline(always)]
    fn clean_all(&self, text: &str, counts: &mut Counts) -> Option<String> {
        let cleaned = if self.controls.is_on() { self.controls.clean(text, counts) } else { None };
        let masked = if self.secrets.is_on() { self.mask(cleaned.as_deref().unwrap_or(text), counts) } else { None };
        masked.or(cleaned)
    }

    /// The beginning of a text that has over half as many characters again as it may keep. Only that is looked at, so that no text costs
    /// more than its operator said.
    #[inline]
    fn begin_of_longer<'t>(&self, text: &'t str) -> Option<&'t str> {
        if text.len() <= self.max_chars {
            return None;
        }
        let (end, _) = text.char_indices().nth(self.max_chars + self.max_chars / 2)?;
        Some(&text[..end])
    }

    /// Digits at the end may be half of a card's number, and go too.
    #[inline(never)]
    fn clean_begin(&self, begin: &str, counts: &mut Counts) -> String {
        let begin = begin.trim_end_matches(|char: char| char.is_ascii_digit() || matches!(char, ' ' | '-'));
        let cleaned = self.clean_all(begin, counts);
        let cleaned = cleaned.as_deref().unwrap_or(begin);
        counts.cut_texts += 1;
        self.shortened(cleaned)
    }

    #[inline(always)]
    fn mask(&self, text: &str, counts: &mut Counts) -> Option<String> {
        let mut secrets = self.secrets.of(text);
        let first = secrets.next()?;
        Some(self.masked(text, first, secrets, counts))
    }

    #[inline(never)]
    fn masked(&self, text: &str, first: Secret, rest: Scanner<'_>, counts: &mut Counts) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut kept_from = 0;
        for Secret { span, is_card, .. } in std::iter::once(first).chain(rest) {
            masked.push_str(&text[kept_from..span.start]);
            masked.push_str(self.secrets.mask());
            *(if is_card { &mut counts.card_numbers } else { &mut counts.secrets }) += 1;
            kept_from = span.end;
        }
        masked.push_str(&text[kept_from..]);
        masked
    }

    /// At most `max_chars` of the text; `None`: it has no more.
    #[inline]
    fn cut(&self, text: &str) -> Option<String> {
        let is_longer = text.len() > self.max_chars && text.char_indices().nth(self.max_chars).is_some();
        is_longer.then(|| self.shortened(text))
    }

    /// One character less than `max_chars`, and a mark that the text was cut. There the rest may be read in another way than before:
    /// then that which shows a secret is left out too.
    #[inline(never)]
    fn shortened(&self, text: &str) -> String {
        let mut end = text.char_indices().nth(self.max_chars - 1).map_or(text.len(), |(end, _)| end);
        loop {
            let cut = format!("{}{CUT}", &text[..end]);
            match self.secrets.of(&cut).next() {
                Some(secret) => end = secret.trigger,
                None => return cut,
            }
        }
    }
}

/// Refuses paths that cannot be written together.
fn check_paths(fields: &[String], counts: Option<&str>) -> Result<(), String> {
    if fields.is_empty() {
        return Err("nothing would be cleaned: name at least one field under `fields`".into());
    }
    if fields.len() > FIELDS_MAX {
        return Err(format!("`fields` are {}, at most {FIELDS_MAX} are allowed", fields.len()));
    }
    let paths: Vec<&str> = fields.iter().map(String::as_str).chain(counts).collect();
    for (number, path) in paths.iter().enumerate() {
        for other in &paths[..number] {
            if path == other {
                return Err(format!("`{path}` is named twice"));
            }
            if is_inside(path, other) || is_inside(other, path) {
                return Err(format!("`{other}` and `{path}` cannot both be written: one is inside of the other"));
            }
        }
    }
    Ok(())
}

/// Whether `inner` lies below `outer`.
fn is_inside(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}
