//! Templates: text with `{field.path}` placeholders.

use crate::columns::{Columns, Registry};
use std::borrow::Cow;
use wasmill_expr::Value;
use wasmill_sdk::check_path;

/// Bytes of a template as written.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 4096;
/// Placeholders in one template.
pub(crate) const PLACEHOLDERS_MAX: usize = 64;

/// What stands for a field that is absent or null.
const NOTHING: &str = "-";

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    /// The slot of a field's raw JSON token.
    Field(usize),
}

impl Template {
    /// Parses a template: `{a.b}` is the field `a.b`, `{{` and `}}` are braces.
    ///
    /// # Errors
    /// A sentence that continues the template's name.
    pub(crate) fn parse(source: &str, registry: &mut Registry) -> Result<Self, String> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("has more than {TEMPLATE_BYTES_MAX} bytes"));
        }
        let mut template = Template(Vec::new());
        let mut rest = source;
        while let Some(brace) = rest.find(['{', '}']) {
            template.text(&rest[..brace]);
            let at = source.len() - rest.len() + brace;
            let (this, after) = rest[brace..].split_at(1);
            rest = if let Some(after_both) = after.strip_prefix(this) {
                template.text(this);
                after_both
            } else if this == "{"
                && let Some((path, after_placeholder)) = after.split_once('}')
            {
                template.field(path, registry).map_err(|why| wrong(source, at, &why))?;
                after_placeholder
            } else {
                return Err(wrong(source, at, "a brace is alone; to write one, write it twice"));
            };
        }
        template.text(rest);
        Ok(template)
    }

    /// Parses what is a field's path when it has no braces, and a template otherwise.
    ///
    /// # Errors
    /// As for [`Template::parse`].
    pub(crate) fn path_or_template(source: &str, registry: &mut Registry) -> Result<Self, String> {
        if source.contains(['{', '}']) || source.len() > TEMPLATE_BYTES_MAX {
            return Self::parse(source, registry);
        }
        let mut template = Template(Vec::new());
        template.field(source, registry).map_err(|why| wrong(source, 0, &why))?;
        Ok(template)
    }

    /// The text for an event, cut off before the character that would make it longer than `bytes_max`. A text field is
    /// written as it is, any other value as its JSON, an absent or null one as `-`. Control characters, which could
    /// break a line or drive a terminal, become spaces.
    pub(crate) fn render(&self, columns: &Columns<'_>, bytes_max: usize) -> String {
        let mut rendered = String::new();
        for part in &self.0 {
            let text = match part {
                Part::Text(text) => Cow::Borrowed(text.as_str()),
                Part::Field(slot) => columns.token(*slot).map_or(Cow::Borrowed(NOTHING), readable),
            };
            for character in text.chars() {
                if rendered.len() + character.len_utf8() > bytes_max {
                    return rendered;
                }
                rendered.push(if character.is_control() { ' ' } else { character });
            }
        }
        rendered
    }

    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.0.push(Part::Text(text.to_owned())),
        }
    }

    fn field(&mut self, path: &str, registry: &mut Registry) -> Result<(), String> {
        check_path(path)?;
        if self.0.iter().filter(|part| matches!(part, Part::Field(_))).count() == PLACEHOLDERS_MAX {
            return Err(format!("there are more than {PLACEHOLDERS_MAX} placeholders"));
        }
        self.0.push(Part::Field(registry.json(path)));
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn wrong(source: &str, at: usize, why: &str) -> String {
    format!("is wrong at column {}: {why}", source[..at].chars().count() + 1)
}

fn readable(token: &str) -> Cow<'_, str> {
    if !token.starts_with('"') {
        return Cow::Borrowed(token);
    }
    Value::from_json(token).and_then(Value::text).unwrap_or(Cow::Borrowed(token))
}
