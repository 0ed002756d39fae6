//! The keywords of one schema, as the specification has them, in the order in which they are asked: first what is cheap and says
//! most about what is wrong.

use crate::compile::Compiler;
use crate::dialect::Dialect;
use crate::documents::Place;
use crate::escape::quoted;
use crate::format::Format;
use crate::number::{Decimal, Divisor, Limit};
use crate::pattern::Pattern;
use crate::schema::{Bound, Count, Keyword, Properties, Property, SchemaId, Types};
use crate::tape::{Document, Json, Kind};
use crate::write::token;

/// Values of an `enum` that a reason shows.
const SHOWN_VALUES: usize = 10;

/// Compiles the schema at a place.
///
/// # Errors
/// A sentence that names the place of what is wrong.
pub(crate) fn of(
    compiler: &mut Compiler<'_>,
    place: Place,
    resource: usize,
    dialect: Dialect,
) -> Result<Vec<Keyword>, String> {
    let json = compiler.documents.json(place.document);
    match json.kind(place.node) {
        Kind::True => return Ok(Vec::new()),
        Kind::False => return Ok(vec![Keyword::Never]),
        Kind::Object => {}
        _ => {
            let name = compiler.documents.name(place);
            return Err(format!("{name} is no schema, which is an object, true or false"));
        }
    }
    let mut builder = Builder { compiler, json, place, resource, keywords: Vec::new() };
    if dialect.has_validation {
        builder.types()?;
    }
    builder.references()?;
    if dialect.has_validation {
        builder.validation()?;
    }
    if dialect.asserts_formats {
        builder.format()?;
    }
    builder.properties(dialect)?;
    if dialect.has_applicators {
        builder.applicators()?;
    }
    if dialect.has_unevaluated {
        builder.one("unevaluatedItems", Keyword::UnevaluatedItems)?;
        builder.one("unevaluatedProperties", Keyword::UnevaluatedProperties)?;
    }
    Ok(builder.keywords)
}

struct Builder<'c, 'd> {
    compiler: &'c mut Compiler<'d>,
    json: Json<'d>,
    place: Place,
    resource: usize,
    keywords: Vec<Keyword>,
}

impl<'d> Builder<'_, 'd> {
    fn references(&mut self) -> Result<(), String> {
        for (keyword, is_dynamic) in [("$ref", false), ("$dynamicRef", true)] {
            if let Some(node) = self.get(keyword, Kind::Text)? {
                let reference = self.json.text(node);
                let found = self.compiler.reference(self.resource, reference, is_dynamic);
                let found = found.map_err(|why| self.wrong(node, &format!("{} {why}", quoted(reference))))?;
                self.keywords.push(found);
            }
        }
        Ok(())
    }

    fn validation(&mut self) -> Result<(), String> {
        self.values()?;
        for (keyword, bound) in [
            ("minimum", Bound::Minimum),
            ("exclusiveMinimum", Bound::ExclusiveMinimum),
            ("maximum", Bound::Maximum),
            ("exclusiveMaximum", Bound::ExclusiveMaximum),
        ] {
            if let Some(node) = self.get(keyword, Kind::Number)? {
                self.keywords.push(Keyword::Bound { bound, limit: Limit::new(self.json.text(node)) });
            }
        }
        if let Some(node) = self.get("multipleOf", Kind::Number)? {
            let divisor = Divisor::new(self.json.text(node));
            let divisor = divisor.ok_or_else(|| self.wrong(node, "is 0, or has more than 18 digits"))?;
            self.keywords.push(Keyword::MultipleOf(divisor));
        }
        self.count("minLength", "maxLength", Keyword::Length)?;
        if let Some(node) = self.get("pattern", Kind::Text)? {
            let pattern = self.pattern(node)?;
            self.keywords.push(Keyword::Pattern(pattern));
        }
        self.count("minItems", "maxItems", Keyword::Elements)?;
        self.count("minProperties", "maxProperties", Keyword::Members)?;
        if self.json.get(self.place.node, "uniqueItems").is_some_and(|node| self.json.kind(node) == Kind::True) {
            self.keywords.push(Keyword::UniqueItems);
        }
        if let Some(node) = self.get("dependentRequired", Kind::Object)? {
            let rule = |key| Ok((self.json.text(key).to_owned(), self.texts(key + 1)?));
            let rules = self.json.members(node).map(rule).collect::<Result<_, String>>()?;
            self.keywords.push(Keyword::DependentRequired(rules));
        }
        Ok(())
    }

    /// Always the first keyword.
    fn types(&mut self) -> Result<(), String> {
        let Some(node) = self.json.get(self.place.node, "type") else { return Ok(()) };
        let nodes = match self.json.kind(node) {
            Kind::Array => self.json.elements(node).collect(),
            _ => vec![node],
        };
        let mut types = Types::NONE;
        for node in nodes {
            let name = if self.json.kind(node) == Kind::Text { self.json.text(node) } else { "" };
            types.add(name).ok_or_else(|| self.wrong(node, "is the name of no type"))?;
        }
        self.keywords.push(Keyword::Type(types));
        Ok(())
    }

    /// `const` and `enum`
    fn values(&mut self) -> Result<(), String> {
        let json = self.json;
        let keep = |node| Document::new(token(json, node)).expect("a value is JSON");
        if let Some(node) = json.get(self.place.node, "const") {
            self.keywords.push(Keyword::Const(keep(node)));
        }
        if let Some(node) = self.get("enum", Kind::Array)? {
            let (texts, others): (Vec<u32>, Vec<u32>) =
                json.elements(node).partition(|node| json.kind(*node) == Kind::Text);
            let shown: Vec<String> =
                json.elements(node).take(SHOWN_VALUES).map(|node| quoted(&token(json, node))).collect();
            let more = if json.count(node) as usize > SHOWN_VALUES { ", ..." } else { "" };
            self.keywords.push(Keyword::Enum {
                texts: texts.into_iter().map(|node| (json.text(node), ())).collect(),
                others: others.into_iter().map(keep).collect(),
                shown: shown.join(", ") + more,
            });
        }
        Ok(())
    }

    fn format(&mut self) -> Result<(), String> {
        if let Some(node) = self.get("format", Kind::Text)? {
            let format = Format::new(self.json.text(node)).map_err(|why| self.wrong(node, &why))?;
            self.keywords.push(Keyword::Format(format));
        }
        Ok(())
    }

    /// `properties` and what goes with it.
    fn properties(&mut self, dialect: Dialect) -> Result<(), String> {
        let mut named = Vec::new();
        let mut patterns = Vec::new();
        let mut additional = None;
        if dialect.has_applicators {
            for (name, schema) in self.map("properties")? {
                named.push((name, Property { schema: Some(schema), is_required: false }));
            }
            let (node, json) = (self.get("patternProperties", Kind::Object)?, self.json);
            for key in node.into_iter().flat_map(|node| json.members(node)) {
                let pattern = self.pattern(key)?;
                patterns.push((pattern, self.schema(key + 1)));
            }
            additional = self.json.get(self.place.node, "additionalProperties").map(|node| self.schema(node));
        }
        let required = if dialect.has_validation { self.required(&mut named)? } else { Vec::new() };
        if !named.is_empty() || !patterns.is_empty() || additional.is_some() {
            let rules = Properties { named: named.into_iter().collect(), required, patterns, additional };
            self.keywords.push(Keyword::Properties(Box::new(rules)));
        }
        Ok(())
    }

    /// The required names, which are marked among all of them.
    fn required(&self, named: &mut Vec<(&'d str, Property)>) -> Result<Vec<String>, String> {
        let Some(node) = self.get("required", Kind::Array)? else { return Ok(Vec::new()) };
        let mut required = self.texts(node)?;
        required.sort_unstable();
        required.dedup();
        for element in self.json.elements(node) {
            let name = self.json.text(element);
            match named.iter_mut().find(|(known, _)| *known == name) {
                Some((_, property)) => property.is_required = true,
                None => named.push((name, Property { schema: None, is_required: true })),
            }
        }
        Ok(required)
    }

    fn applicators(&mut self) -> Result<(), String> {
        self.one("propertyNames", Keyword::PropertyNames)?;
        let prefix = self.list("prefixItems")?;
        let rest = self.json.get(self.place.node, "items").map(|node| self.schema(node));
        if !prefix.is_empty() || rest.is_some() {
            self.keywords.push(Keyword::Items { prefix, rest });
        }
        if let Some(node) = self.json.get(self.place.node, "contains") {
            let count = Count { min: self.number("minContains")?.unwrap_or(1), max: self.max("maxContains")? };
            let schema = self.schema(node);
            self.keywords.push(Keyword::Contains { schema, count });
        }
        for (keyword, make) in [
            ("allOf", Keyword::AllOf as fn(Vec<SchemaId>) -> Keyword),
            ("anyOf", Keyword::AnyOf),
            ("oneOf", Keyword::OneOf),
        ] {
            let schemas = self.list(keyword)?;
            if !schemas.is_empty() {
                self.keywords.push(make(schemas));
            }
        }
        self.one("not", Keyword::Not)?;
        if let Some(node) = self.json.get(self.place.node, "if") {
            let branch = |keyword| self.json.get(self.place.node, keyword);
            let (then, otherwise) = (branch("then"), branch("else"));
            let [condition, then, otherwise] =
                [Some(node), then, otherwise].map(|node| node.map(|node| self.schema(node)));
            self.keywords.extend(condition.map(|condition| Keyword::If { condition, then, otherwise }));
        }
        let dependent = self.map("dependentSchemas")?;
        self.dependent(dependent);
        self.dependencies()
    }

    fn dependent(&mut self, schemas: Vec<(&str, SchemaId)>) {
        if !schemas.is_empty() {
            let rules = schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
            self.keywords.push(Keyword::DependentSchemas(rules));
        }
    }

    /// The older keyword of which 2020-12 makes two: schemas that still have it would ask less than they seem to.
    fn dependencies(&mut self) -> Result<(), String> {
        let (node, json) = (self.get("dependencies", Kind::Object)?, self.json);
        let keys = node.into_iter().flat_map(|node| json.members(node));
        let (lists, schemas): (Vec<u32>, Vec<u32>) = keys.partition(|key| json.kind(key + 1) == Kind::Array);
        let schemas = schemas.into_iter().map(|key| (json.text(key), self.schema(key + 1))).collect();
        self.dependent(schemas);
        if !lists.is_empty() {
            let rule = |key| Ok((json.text(key).to_owned(), self.texts(key + 1)?));
            let rules = lists.into_iter().map(rule).collect::<Result<_, String>>()?;
            self.keywords.push(Keyword::DependentRequired(rules));
        }
        Ok(())
    }

    // --- values of keywords ---

    #[cold]
    fn wrong(&self, node: u32, why: &str) -> String {
        format!("{}: {why}", self.compiler.documents.name(Place { node, ..self.place }))
    }

    /// The value of a keyword, which has to be of this kind.
    fn get(&self, keyword: &str, kind: Kind) -> Result<Option<u32>, String> {
        match self.json.get(self.place.node, keyword) {
            Some(node) if self.json.kind(node) != kind => Err(self.wrong(node, "the value is of the wrong type")),
            found => Ok(found),
        }
    }

    fn schema(&mut self, node: u32) -> SchemaId {
        self.compiler.id(Place { node, ..self.place })
    }

    fn one(&mut self, keyword: &str, make: fn(SchemaId) -> Keyword) -> Result<(), String> {
        if let Some(node) = self.json.get(self.place.node, keyword) {
            let schema = self.schema(node);
            self.keywords.push(make(schema));
        }
        Ok(())
    }

    fn list(&mut self, keyword: &str) -> Result<Vec<SchemaId>, String> {
        let node = self.get(keyword, Kind::Array)?;
        let elements = node.into_iter().flat_map(|node| self.json.elements(node)).collect::<Vec<_>>();
        Ok(elements.into_iter().map(|element| self.schema(element)).collect())
    }

    fn map(&mut self, keyword: &str) -> Result<Vec<(&'d str, SchemaId)>, String> {
        let node = self.get(keyword, Kind::Object)?;
        let keys = node.into_iter().flat_map(|node| self.json.members(node)).collect::<Vec<_>>();
        Ok(keys.into_iter().map(|key| (self.json.text(key), self.schema(key + 1))).collect())
    }

    fn texts(&self, node: u32) -> Result<Vec<String>, String> {
        let is_text = |node: u32| self.json.kind(node) == Kind::Text;
        if self.json.kind(node) != Kind::Array || !self.json.elements(node).all(is_text) {
            return Err(self.wrong(node, "the value is no list of texts"));
        }
        Ok(self.json.elements(node).map(|element| self.json.text(element).to_owned()).collect())
    }

    fn pattern(&self, node: u32) -> Result<Pattern, String> {
        Pattern::new(self.json.text(node)).map_err(|why| self.wrong(node, &why))
    }

    fn number(&self, keyword: &str) -> Result<Option<u64>, String> {
        let Some(node) = self.get(keyword, Kind::Number)? else { return Ok(None) };
        let count = Decimal::new(self.json.text(node)).count();
        count.map(Some).ok_or_else(|| self.wrong(node, "is no whole number from 0 on"))
    }

    fn max(&self, keyword: &str) -> Result<u64, String> {
        Ok(self.number(keyword)?.unwrap_or(u64::MAX))
    }

    fn count(&mut self, min: &str, max: &str, make: fn(Count) -> Keyword) -> Result<(), String> {
        let count = Count { min: self.number(min)?.unwrap_or(0), max: self.max(max)? };
        if count.min > 0 || count.max < u64::MAX {
            self.keywords.push(make(count));
        }
        Ok(())
    }
}
