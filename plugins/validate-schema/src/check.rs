//! A value against a compiled schema, up to the first thing that is wrong.
//!
//! Nothing is allocated unless a schema asks what the others left over. What is wrong is two numbers, since most of it happens
//! inside `anyOf` and its kin, where nobody wants to read it; `reason` makes a sentence of the one that counts.

mod rarer;

pub(crate) use rarer::missing_dependent;

use crate::equal::equal;
use crate::failure::{Cause, Failure};
use crate::number::{Decimal, Small};
use crate::pattern::Pattern;
use crate::schema::{Count, Keyword, Properties, Schema, SchemaId, Schemas};
use crate::seen::Seen;
use crate::tape::{Json, Kind};

/// Schemas inside of each other that are asked about one event. The stack of a plugin has room for them.
pub(crate) const DEPTH_MAX: u32 = 400;
/// Bytes of a text or number that are looked at one by one for a step.
pub(crate) const BYTES_PER_STEP: usize = 8;

type Checked = Result<(), Failure>;

/// Holds a value against the first of the schemas, in at most so many steps.
///
/// A step is a schema or a name that is asked about one value, or what takes as long. All work is counted that an event can
/// make larger, so that an event which takes too much is rejected here, and not for the fuel that the plugin burned.
pub(crate) fn check(schemas: &Schemas, json: Json<'_>, steps: u32) -> Checked {
    let mut check = Check { schemas, json, scope: Vec::new(), depth: 0, steps };
    check.schema(SchemaId(0), 0, None)
}

struct Check<'s, 'j> {
    schemas: &'s Schemas,
    json: Json<'j>,
    /// The resources on the way, the outermost first; only for dynamic references.
    scope: Vec<u32>,
    depth: u32,
    /// That are left.
    steps: u32,
}

impl Check<'_, '_> {
    /// Most schemas of most events ask for a type and little more, so that this is where the time goes.
    #[inline]
    fn schema(&mut self, id: SchemaId, node: u32, seen: Option<&mut Seen>) -> Checked {
        let schema = &self.schemas.schemas[id.0 as usize];
        let kind = self.json.kind(node);
        let fits = schema.types.allow(kind)
            || kind == Kind::Number && schema.types.allow_integers() && self.is_integer(node)?;
        if !fits {
            return Err(Failure::new(node, Cause::Keyword(schema.first - 1)));
        }
        if schema.first == schema.end { self.spend(1, node) } else { self.whole(schema, node, seen) }
    }

    fn is_integer(&mut self, node: u32) -> Result<bool, Failure> {
        let token = self.json.text(node);
        if let Some(small) = Small::new(token) {
            return Ok(small.is_integer());
        }
        self.spend_weight(node)?;
        Ok(Decimal::new(token).is_integer())
    }

    /// As much as looking at every digit of a value takes.
    fn spend_weight(&mut self, node: u32) -> Checked {
        self.spend(self.json.weight(node), node)
    }

    #[inline]
    fn spend(&mut self, steps: usize, node: u32) -> Checked {
        match u32::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps)) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Failure::new(node, Cause::TooCostly)),
        }
    }

    #[inline(never)]
    fn whole(&mut self, schema: &Schema, node: u32, seen: Option<&mut Seen>) -> Checked {
        self.spend(1, node)?;
        if self.depth == DEPTH_MAX {
            return Err(Failure::new(node, Cause::TooDeep));
        }
        self.depth += 1;
        let checked = if self.schemas.is_dynamic || schema.is_about_the_rest {
            self.within(schema, node, seen)
        } else {
            self.keywords(schema, node, seen)
        };
        self.depth -= 1;
        checked
    }

    /// Of a schema that has to know where it is, or what its keywords have looked at.
    fn within(&mut self, schema: &Schema, node: u32, seen: Option<&mut Seen>) -> Checked {
        self.scope.push(schema.resource);
        let checked = if schema.is_about_the_rest {
            let mut own = Seen::default();
            let checked = self.keywords(schema, node, Some(&mut own));
            if let Some(seen) = seen {
                seen.merge(&own);
            }
            checked
        } else {
            self.keywords(schema, node, seen)
        };
        self.scope.pop();
        checked
    }

    #[inline]
    fn keywords(&mut self, schema: &Schema, node: u32, mut seen: Option<&mut Seen>) -> Checked {
        let keywords = &self.schemas.keywords[schema.first as usize..schema.end as usize];
        for (number, keyword) in (schema.first..).zip(keywords) {
            if !self.keyword(keyword, node, seen.as_deref_mut())? {
                return Err(Failure::new(node, Cause::Keyword(number)));
            }
        }
        Ok(())
    }

    /// Whether a value fits a keyword; what is wrong with a part of the value, or with a schema that the keyword names, is an error
    /// of its own.
    #[inline]
    fn keyword(&mut self, keyword: &Keyword, node: u32, seen: Option<&mut Seen>) -> Result<bool, Failure> {
        let json = self.json;
        let kind = json.kind(node);
        Ok(match keyword {
            Keyword::Properties(properties) => {
                return if kind == Kind::Object { self.properties(properties, node, seen) } else { Ok(true) };
            }
            Keyword::Items { prefix, rest } => {
                return if kind == Kind::Array { self.items(prefix, *rest, node, seen) } else { Ok(true) };
            }
            Keyword::Ref(schema) => return self.schema(*schema, node, seen).map(|()| true),
            Keyword::Enum { texts, others, .. } => match kind {
                Kind::Text => texts.contains(json.text(node)),
                _ => {
                    self.spend(json.weight(node).saturating_mul(others.len()), node)?;
                    others.iter().any(|value| equal((json, node), (value.json(), 0)))
                }
            },
            Keyword::Length(count) => kind != Kind::Text || has_length(json.text(node), *count),
            Keyword::Pattern(pattern) => kind != Kind::Text || self.matches(pattern, node)?,
            Keyword::Format(format) => {
                kind != Kind::Text || {
                    self.spend(json.text(node).len() / BYTES_PER_STEP, node)?;
                    format.fits(json.text(node))
                }
            }
            Keyword::Bound { bound, limit } if kind == Kind::Number => {
                let token = json.text(node);
                match limit.of_small(token) {
                    Some(order) => bound.allows(order),
                    None => {
                        self.spend_weight(node)?;
                        bound.allows(limit.of(token))
                    }
                }
            }
            Keyword::MultipleOf(divisor) if kind == Kind::Number => {
                self.spend_weight(node)?;
                divisor.divides(json.text(node))
            }
            Keyword::Elements(count) => kind != Kind::Array || count.allows(json.count(node).into()),
            Keyword::Members(count) => kind != Kind::Object || count.allows(json.count(node).into()),
            _ => return self.rarer(keyword, node, seen),
        })
    }

    #[inline(never)]
    fn matches(&mut self, pattern: &Pattern, node: u32) -> Result<bool, Failure> {
        let text = self.json.text(node);
        let bytes_per_step = if pattern.is_slow() { 1 } else { BYTES_PER_STEP };
        self.spend(1 + text.len() / bytes_per_step, node)?;
        Ok(pattern.is_match(text))
    }

    #[inline(never)]
    fn properties(&mut self, rules: &Properties, object: u32, mut seen: Option<&mut Seen>) -> Result<bool, Failure> {
        let json = self.json;
        self.spend(json.count(object) as usize, object)?;
        let mut required = 0;
        for (place, key) in json.members(object).enumerate() {
            let name = json.text(key);
            let mut is_known = false;
            if let Some(property) = rules.named.get(name) {
                required += usize::from(property.is_required);
                if let Some(schema) = property.schema {
                    is_known = true;
                    self.schema(schema, key + 1, None)?;
                }
            }
            for (pattern, schema) in &rules.patterns {
                if self.matches(pattern, key)? {
                    is_known = true;
                    self.schema(*schema, key + 1, None)?;
                }
            }
            if !is_known && let Some(schema) = rules.additional {
                is_known = true;
                self.schema(schema, key + 1, None)?;
            }
            if is_known && let Some(seen) = seen.as_deref_mut() {
                seen.add(place);
            }
        }
        Ok(required == rules.required.len())
    }

    #[inline(never)]
    fn items(
        &mut self,
        prefix: &[SchemaId],
        rest: Option<SchemaId>,
        array: u32,
        mut seen: Option<&mut Seen>,
    ) -> Result<bool, Failure> {
        for (place, element) in self.json.elements(array).enumerate() {
            let Some(schema) = prefix.get(place).copied().or(rest) else { break };
            self.schema(schema, element, None)?;
            if let Some(seen) = seen.as_deref_mut() {
                seen.add(place);
            }
        }
        Ok(true)
    }
}

/// Whether a text has so many characters. They are only counted where its bytes do not tell.
#[inline]
fn has_length(text: &str, count: Count) -> bool {
    let bytes = text.len() as u64;
    if bytes < count.min || bytes.div_ceil(4) > count.max {
        return false;
    }
    (bytes <= count.max && bytes.div_ceil(4) >= count.min) || count.allows(text.chars().count() as u64)
}
