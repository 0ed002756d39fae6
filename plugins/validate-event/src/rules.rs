//! The config, ready to be applied: every field is a column's number, every check one comparison or a few.

use wasmill_sdk::{EventColumns, Field, Kind, Prepare, Rejection, Scalar, Slots, State, Suspects, TextMap};

use crate::config::{Config, DropConfig, FieldConfig, Format, Type};
use crate::reason;
use crate::text::TextRules;
use crate::timestamp::Bounds;

/// The prepared config.
pub struct Rules {
    columns: Columns,
    pub(crate) drops: Vec<DropRule>,
    pub(crate) checks: Vec<Check>,
}

impl Prepare for Rules {
    type Config = Config;

    fn prepare(config: Config) -> Result<Self, String> {
        if config.fields.is_empty() && config.drop.is_empty() {
            return Err(
                "nothing would be checked: name at least one field under `fields`, or a rule under `drop`".into()
            );
        }
        let mut columns = Columns::default();
        let drops = config.drop.into_iter().enumerate();
        let drops = drops
            .map(|(number, rule)| DropRule::new(rule, &mut columns).map_err(|why| format!("`drop.{number}`: {why}")));
        let drops = drops.collect::<Result<_, _>>()?;
        let mut checks = Vec::new();
        for (path, field) in config.fields {
            let test = Test::new(&path, &field, &mut columns).map_err(|why| format!("`fields.{path}`: {why}"))?;
            checks.extend(test.map(|test| Check { path, test }));
        }
        Ok(Rules { columns, drops, checks })
    }

    fn reads(&self) -> Vec<Field> {
        self.columns.0.clone()
    }

    /// What does not pass every check at a glance, or may be dropped.
    fn suspects(&self, columns: EventColumns<'_>) -> Option<Suspects> {
        let mut suspects = Suspects::none(columns.events());
        if !self.drops.is_empty() {
            add_unless(&mut suspects, columns.rows(), |row| !self.drops.iter().any(|rule| rule.matches(row)));
        }
        for check in &self.checks {
            check.add_suspects(columns, &mut suspects);
        }
        Some(suspects)
    }
}

/// Adds the events that do not pass.
#[inline(always)]
pub(crate) fn add_unless<T>(suspects: &mut Suspects, events: impl Iterator<Item = T>, passes: impl Fn(T) -> bool) {
    for (event, value) in events.enumerate() {
        if !passes(value) {
            suspects.add(event);
        }
    }
}

/// The fields to read, each once.
#[derive(Default)]
struct Columns(Vec<Field>);

impl Columns {
    /// The number of the column of this path and kind.
    fn number(&mut self, path: &str, kind: Kind, required: bool) -> usize {
        let number = self.0.iter().position(|field| field.path == path && field.kind == kind).unwrap_or_else(|| {
            self.0.push(Field::new(path.to_owned(), kind));
            self.0.len() - 1
        });
        self.0[number].required |= required;
        number
    }
}

/// The checks of one field.
pub(crate) struct Check {
    path: String,
    test: Test,
}

#[repr(u8)] // so that an event's check is told from the others by one look
enum Test {
    Text {
        column: usize,
        rules: TextRules,
    },
    /// Only the type matters.
    Typed {
        column: usize,
        noun: &'static str,
    },
    /// An object or an array: its token begins so.
    Token {
        column: usize,
        first: u8,
        noun: &'static str,
    },
    Timestamp {
        text: Option<usize>,
        integer: Option<usize>,
        bounds: Bounds,
    },
}

impl Test {
    /// `None`: the host makes the only check there is, that the field is there.
    fn new(path: &str, config: &FieldConfig, columns: &mut Columns) -> Result<Option<Self>, String> {
        if config.timestamp.is_some() {
            return Self::timestamp(path, config, columns).map(Some);
        }
        let ty = match config.ty {
            None if config.is_about_text() => Type::Text,
            None => Type::Any,
            Some(ty) if ty != Type::Text && config.is_about_text() => {
                return Err(
                    "`one_of`, `min_chars`, `max_chars`, `max_bytes` and `control_characters` are checks of text: \
                            write `type: text`, or leave the type out"
                        .into(),
                );
            }
            Some(ty) => ty,
        };
        if config.ignore_case && config.one_of.is_none() {
            return Err("`ignore_case` is about `one_of`, which is not set".into());
        }
        let mut column = |kind| columns.number(path, kind, config.required);
        Ok(Some(match ty {
            // A boolean's column is the cheapest: the host says whether the field is there, and copies nothing.
            Type::Any if config.required => {
                column(Kind::Boolean);
                return Ok(None);
            }
            Type::Any => return Err("it has no check: set `required`, `type`, `one_of`, ...".into()),
            Type::Text => Test::Text { column: column(Kind::Text), rules: TextRules::new(config)? },
            Type::Integer => Test::Typed { column: column(Kind::Integer), noun: "an integer" },
            Type::Number => Test::Typed { column: column(Kind::Float), noun: "a number" },
            Type::Boolean => Test::Typed { column: column(Kind::Boolean), noun: "a boolean" },
            Type::Object => Test::Token { column: column(Kind::Json), first: b'{', noun: "an object" },
            Type::Array => Test::Token { column: column(Kind::Json), first: b'[', noun: "an array" },
        }))
    }

    fn timestamp(path: &str, config: &FieldConfig, columns: &mut Columns) -> Result<Self, String> {
        let Some(timestamp) = &config.timestamp else { return Err("it has no `timestamp`".into()) };
        if config.ty.is_some() || config.is_about_text() || config.ignore_case {
            return Err("a `timestamp` has its own format: beside it only `required` is set".into());
        }
        let bounds = Bounds::new(timestamp)?;
        let mut column = |kind, format| {
            (timestamp.format == format || timestamp.format == Format::Either)
                .then(|| columns.number(path, kind, config.required))
        };
        let (text, integer) = (column(Kind::Text, Format::Rfc3339), column(Kind::Integer, Format::EpochMs));
        Ok(Test::Timestamp { text, integer, bounds })
    }
}

impl Check {
    /// Adds the events that do not pass at a glance, which nearly all do; they may still pass the check. One loop over a column
    /// for each kind of check, since in a sandbox every step of a loop is metered.
    fn add_suspects(&self, columns: EventColumns<'_>, suspects: &mut Suspects) {
        let is_no_other_type = |state| state != State::OtherType;
        match &self.test {
            Test::Text { column, rules } => rules.add_suspects(columns.texts(*column), suspects),
            Test::Typed { column, .. } => {
                add_unless(suspects, columns.rows(), |row| is_no_other_type(row.state(*column)));
            }
            Test::Token { column, first, .. } => {
                let passes = |token: Option<&str>| token.is_none_or(|token| token.as_bytes().first() == Some(first));
                add_unless(suspects, columns.rows(), |row| passes(row.json(*column)));
            }
            Test::Timestamp { text: Some(column), integer: None, bounds } => {
                let events = columns.texts(*column).zip(columns.times());
                add_unless(suspects, events, |(text, time_ns)| match text {
                    Ok(text) => bounds.plainly_contain(text, *time_ns),
                    Err(state) => is_no_other_type(state),
                });
            }
            Test::Timestamp { text, integer, bounds } => {
                add_unless(suspects, columns.rows().zip(columns.times()), |(row, time_ns)| {
                    if let Some(text) = text.and_then(|column| row.text(column)) {
                        bounds.plainly_contain(text, *time_ns)
                    } else if let Some(millis) = integer.and_then(|column| row.integer(column)) {
                        bounds.contain_millis(millis, *time_ns)
                    } else {
                        text.or(*integer).is_none_or(|column| is_no_other_type(row.state(column)))
                    }
                });
            }
        }
    }

    /// Makes the checks; `time_ns` is the record's time.
    pub(crate) fn of(&self, slots: Slots<'_>, time_ns: i64) -> Result<(), Rejection> {
        match &self.test {
            Test::Text { column, rules } => match slots.text(*column) {
                Some(text) => rules.check(&self.path, text),
                None => self.no_other_type(slots, *column, "text"),
            },
            Test::Typed { column, noun } => self.no_other_type(slots, *column, noun),
            Test::Token { column, first, noun } => match slots.json(*column) {
                Some(token) if token.as_bytes().first() != Some(first) => Err(reason::wrong_type(&self.path, noun)),
                _ => Ok(()),
            },
            Test::Timestamp { text, integer, bounds } => {
                if let Some(text) = text.and_then(|column| slots.text(column)) {
                    return bounds.check_text(&self.path, text, time_ns);
                }
                if let Some(millis) = integer.and_then(|column| slots.integer(column)) {
                    return bounds.check_millis(&self.path, millis, time_ns);
                }
                text.or(*integer).map_or(Ok(()), |column| self.no_other_type(slots, column, bounds.noun()))
            }
        }
    }

    /// A field that is absent or null is the business of `required`.
    fn no_other_type(&self, slots: Slots<'_>, column: usize, noun: &str) -> Result<(), Rejection> {
        match slots.state(column) {
            State::OtherType => Err(reason::wrong_type(&self.path, noun)),
            _ => Ok(()),
        }
    }
}

/// A rule for events that nobody wants.
pub(crate) struct DropRule(Vec<Unwanted>);

/// Values of a column.
enum Unwanted {
    Texts(usize, TextMap<()>),
    Integer(usize, i64),
    Float(usize, f64),
    Boolean(usize, bool),
}

impl DropRule {
    fn new(config: DropConfig, columns: &mut Columns) -> Result<Self, String> {
        let values = match (config.equals, config.one_of) {
            (Some(value), None) => vec![value],
            (None, Some(values)) if !values.is_empty() => values,
            (None, Some(_)) => return Err("`one_of` is empty".into()),
            (Some(_), Some(_)) | (None, None) => {
                return Err("write one of `equals: value` and `one_of: [values]`".into());
            }
        };
        let mut column = |kind| columns.number(&config.field, kind, false);
        let (mut texts, mut unwanted) = (Vec::new(), Vec::new());
        for value in values {
            match value {
                Scalar::Text(text) => texts.push((text, ())),
                Scalar::Integer(integer) => unwanted.push(Unwanted::Integer(column(Kind::Integer), integer)),
                Scalar::Float(number) => unwanted.push(Unwanted::Float(column(Kind::Float), number)),
                Scalar::Boolean(boolean) => unwanted.push(Unwanted::Boolean(column(Kind::Boolean), boolean)),
            }
        }
        if !texts.is_empty() {
            unwanted.push(Unwanted::Texts(column(Kind::Text), texts.into_iter().collect()));
        }
        Ok(DropRule(unwanted))
    }

    /// Whether the event's field has one of the rule's values.
    #[inline]
    pub(crate) fn matches(&self, slots: Slots<'_>) -> bool {
        self.0.iter().any(|unwanted| match unwanted {
            Unwanted::Texts(column, texts) => slots.text(*column).is_some_and(|text| texts.contains(text)),
            Unwanted::Integer(column, integer) => slots.integer(*column) == Some(*integer),
            Unwanted::Float(column, number) => slots.float(*column) == Some(*number),
            Unwanted::Boolean(column, boolean) => slots.boolean(*column) == Some(*boolean),
        })
    }
}
