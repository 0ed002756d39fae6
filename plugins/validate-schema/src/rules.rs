//! The config, ready to be applied.

use std::cell::RefCell;

use wasmill_sdk::{Field, Kind, Prepare, Slots, State, Verdict};

use crate::check::check;
use crate::compile::compile;
use crate::config::{Config, Formats};
use crate::dialect::METASCHEMA;
use crate::documents::Documents;
use crate::failure::Cause;
use crate::metaschema;
use crate::reason;
use crate::schema::Schemas;
use crate::tape::{Tape, Unread};

/// Values of an event for which there is room from the beginning.
const EVENT_VALUES: usize = 1_024;

thread_local! {
    /// Every event's values in turn. Its memory belongs to the plugin's first state, so that no batch has to ask for it.
    static TAPE: RefCell<Tape> = const { RefCell::new(Tape::new()) };
}

/// The prepared config.
pub struct Rules {
    schemas: Schemas,
    field: Option<String>,
    values_max: usize,
    steps_max: u32,
}

impl Prepare for Rules {
    type Config = Config;

    fn prepare(config: Config) -> Result<Self, String> {
        let mut documents = Documents::default();
        metaschema::add_to(&mut documents)?;
        let mut given = Vec::new();
        for (uri, schema) in config.schemas {
            given.push(documents.add(format!("`schemas`, `{uri}`"), &uri, schema.0)?);
        }
        let first = documents.add("`schema`".to_owned(), "", config.schema.0)?;
        given.push(first);
        let metaschema = documents.root(METASCHEMA).ok_or("the metaschema is missing")?;
        let metaschema = compile(&documents, metaschema, false)?;
        for place in given {
            let json = documents.json(place.document);
            check(&metaschema, json, u32::MAX).map_err(|failure| {
                format!("{} is no schema of 2020-12: {}", documents.name(place), reason::of(&metaschema, json, failure))
            })?;
        }
        let schemas = compile(&documents, first, config.formats == Formats::Assert)?;
        TAPE.with_borrow_mut(|tape| tape.reserve(EVENT_VALUES));
        Ok(Rules { schemas, field: config.field, values_max: config.values_max, steps_max: config.steps_max })
    }

    fn reads(&self) -> Vec<Field> {
        vec![match &self.field {
            Some(path) => Field::new(path.clone(), Kind::Json),
            None => Field::new("", Kind::Raw),
        }]
    }
}

impl Rules {
    /// Holds an event against the schema.
    #[inline]
    pub(crate) fn judge(&self, slots: Slots<'_>) -> Verdict {
        let Some(path) = &self.field else { return self.judge_text(slots.raw(0).unwrap_or_default()) };
        match slots.state(0) {
            State::Absent => Verdict::reject("missing_field", format!("the field `{path}` is absent")),
            State::Null => self.judge_text("null"),
            State::Present | State::OtherType => self.judge_text(slots.json(0).unwrap_or_default()),
        }
    }

    fn judge_text(&self, text: &str) -> Verdict {
        TAPE.with_borrow_mut(|tape| {
            let json = match tape.read(text, self.values_max) {
                Ok(json) => json,
                Err(unread) => return rejected_unread(unread, self.values_max),
            };
            match check(&self.schemas, json, self.steps_max) {
                Ok(()) => Verdict::pass(),
                Err(failure) => {
                    let code = if matches!(failure.cause(), Cause::Keyword(_)) { "schema" } else { "too_complex" };
                    Verdict::reject(code, reason::of(&self.schemas, json, failure))
                }
            }
        })
    }
}

#[cold]
fn rejected_unread(unread: Unread, values_max: usize) -> Verdict {
    match unread {
        Unread::TooMany => Verdict::reject(
            "too_complex",
            format!("(root): there are more than {values_max} values, keys counted too, or escapes"),
        ),
        // The host has read the event before, so that this does not happen.
        Unread::NotJson => Verdict::reject("not_json", "the event is no JSON"),
    }
}
