//! The keywords that most schemas of most events do without. Their stack is kept apart from what every schema needs.

use super::{Check, Checked};
use crate::equal::{equal, repeated};
use crate::failure::Failure;
use crate::schema::{Count, Keyword, SchemaId};
use crate::seen::Seen;
use crate::tape::{Json, Kind};

impl Check<'_, '_> {
    /// Whether a value fits a keyword, as [`Check::keyword`] has it.
    #[inline(never)]
    pub(super) fn rarer(&mut self, keyword: &Keyword, node: u32, mut seen: Option<&mut Seen>) -> Result<bool, Failure> {
        let kind = self.json.kind(node);
        match keyword {
            Keyword::Never => return Ok(false),
            Keyword::Const(value) => {
                self.spend_weight(node)?;
                return Ok(equal((self.json, node), (value.json(), 0)));
            }
            Keyword::UniqueItems if kind == Kind::Array => {
                self.spend_weight(node)?;
                return Ok(repeated(self.json, node).is_none());
            }
            Keyword::DependentRequired(rules) if kind == Kind::Object => {
                let names: usize = rules.iter().map(|(_, needed)| 1 + needed.len()).sum();
                self.spend_searches(names, node)?;
                return Ok(missing_dependent(self.json, node, rules).is_none());
            }
            Keyword::PropertyNames(schema) if kind == Kind::Object => {
                for key in self.json.members(node) {
                    self.schema(*schema, key, None)?;
                }
            }
            Keyword::Contains { schema, count } if kind == Kind::Array => {
                return self.contains(*schema, *count, node, seen);
            }
            Keyword::DynamicRef { anchor, otherwise } => self.schema(self.target(*anchor, *otherwise), node, seen)?,
            Keyword::AllOf(schemas) => {
                for schema in schemas {
                    self.schema(*schema, node, seen.as_deref_mut())?;
                }
            }
            Keyword::AnyOf(schemas) => return self.any_of(schemas, node, seen),
            Keyword::OneOf(schemas) => return Ok(self.matching(schemas, 2, node, seen)? == 1),
            Keyword::Not(schema) => return Ok(!self.holds(*schema, node, None)?),
            Keyword::If { condition, then, otherwise } => {
                let branch = if self.holds(*condition, node, seen.as_deref_mut())? { then } else { otherwise };
                if let Some(schema) = branch {
                    self.schema(*schema, node, seen)?;
                }
            }
            Keyword::DependentSchemas(rules) if kind == Kind::Object => {
                self.spend_searches(rules.len(), node)?;
                for (name, schema) in rules {
                    if self.json.get(node, name).is_some() {
                        self.schema(*schema, node, seen.as_deref_mut())?;
                    }
                }
            }
            Keyword::UnevaluatedItems(schema) if kind == Kind::Array => self.rest_of_array(*schema, node, seen)?,
            Keyword::UnevaluatedProperties(schema) if kind == Kind::Object => {
                self.rest_of_object(*schema, node, seen)?
            }
            _ => {}
        }
        Ok(true)
    }

    /// So many names are looked for among an object's members, one by one.
    fn spend_searches(&mut self, names: usize, object: u32) -> Checked {
        self.spend(1 + names * self.json.count(object) as usize / 4, object)
    }

    /// Whether a value fits a schema. What the schema looked at counts only if it does.
    #[inline(never)]
    fn holds(&mut self, schema: SchemaId, node: u32, seen: Option<&mut Seen>) -> Result<bool, Failure> {
        let mut own = Seen::default();
        match self.schema(schema, node, seen.is_some().then_some(&mut own)) {
            Ok(()) => {
                if let Some(seen) = seen {
                    seen.merge(&own);
                }
                Ok(true)
            }
            Err(failure) if failure.is_final() => Err(failure),
            Err(_) => Ok(false),
        }
    }

    /// How many of the schemas a value fits, counted up to `enough`; all of them where it matters what they look at.
    #[inline(never)]
    fn matching(
        &mut self,
        schemas: &[SchemaId],
        enough: usize,
        node: u32,
        mut seen: Option<&mut Seen>,
    ) -> Result<usize, Failure> {
        let mut matching = 0;
        for schema in schemas {
            matching += usize::from(self.holds(*schema, node, seen.as_deref_mut())?);
            if matching >= enough && seen.is_none() {
                break;
            }
        }
        Ok(matching)
    }

    fn any_of(&mut self, schemas: &[SchemaId], node: u32, seen: Option<&mut Seen>) -> Result<bool, Failure> {
        Ok(self.matching(schemas, 1, node, seen)? > 0)
    }

    #[inline(never)]
    fn contains(
        &mut self,
        schema: SchemaId,
        count: Count,
        array: u32,
        mut seen: Option<&mut Seen>,
    ) -> Result<bool, Failure> {
        let mut found = 0;
        for (place, element) in self.json.elements(array).enumerate() {
            if self.holds(schema, element, None)? {
                found += 1;
                match seen.as_deref_mut() {
                    Some(seen) => _ = seen.add(place),
                    None if found >= count.min && count.max == u64::MAX => break,
                    None => {}
                }
            }
        }
        Ok(count.allows(found))
    }

    /// The schema of a dynamic reference: that of the outermost resource on the way which has the anchor.
    fn target(&self, anchor: u32, otherwise: SchemaId) -> SchemaId {
        let of = |resource: &u32| {
            let anchors = &self.schemas.dynamic_anchors[*resource as usize];
            anchors.iter().find(|(number, _)| *number == anchor).map(|(_, schema)| *schema)
        };
        self.scope.iter().find_map(of).unwrap_or(otherwise)
    }

    #[inline(never)]
    fn rest_of_array(&mut self, schema: SchemaId, array: u32, seen: Option<&mut Seen>) -> Checked {
        let Some(seen) = seen else { return Ok(()) };
        self.spend(self.json.count(array) as usize, array)?;
        for (place, element) in self.json.elements(array).enumerate() {
            if seen.add(place) {
                self.schema(schema, element, None)?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn rest_of_object(&mut self, schema: SchemaId, object: u32, seen: Option<&mut Seen>) -> Checked {
        let Some(seen) = seen else { return Ok(()) };
        self.spend(self.json.count(object) as usize, object)?;
        for (place, key) in self.json.members(object).enumerate() {
            if seen.add(place) {
                self.schema(schema, key + 1, None)?;
            }
        }
        Ok(())
    }
}

/// The first pair of `dependentRequired` of which an object has the first name and lacks the second.
pub(crate) fn missing_dependent<'r>(
    json: Json<'_>,
    object: u32,
    rules: &'r [(String, Vec<String>)],
) -> Option<(&'r str, &'r str)> {
    let present = rules.iter().filter(|(name, _)| json.get(object, name).is_some());
    let mut pairs =
        present.flat_map(|(name, needed)| needed.iter().map(move |needed| (name.as_str(), needed.as_str())));
    pairs.find(|(_, needed)| json.get(object, needed).is_none())
}
