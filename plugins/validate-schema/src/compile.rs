//! From documents to compiled schemas: every schema that is reached from the first one, each once.

use std::collections::BTreeMap;

use crate::dialect::Dialect;
use crate::documents::{Documents, Place};
use crate::keywords;
use crate::schema::{Keyword, Schema, SchemaId, Schemas, Types};

/// Schemas of one config.
const SCHEMAS_MAX: usize = 20_000;

/// Compiles what is reached from a place.
///
/// # Errors
/// A sentence that names the place of what is wrong.
pub(crate) fn compile(documents: &Documents, first: Place, asserts_formats: bool) -> Result<Schemas, String> {
    let mut compiler = Compiler {
        documents,
        asserts_formats,
        places: Vec::new(),
        ids: BTreeMap::new(),
        anchors: Vec::new(),
        dialects: BTreeMap::new(),
        done: Schemas::default(),
    };
    compiler.id(first);
    compiler.all()?;
    compiler.refuse_endless()?;
    Ok(compiler.done)
}

pub(crate) struct Compiler<'d> {
    pub(crate) documents: &'d Documents,
    asserts_formats: bool,
    /// By schema, where it is.
    places: Vec<Place>,
    ids: BTreeMap<Place, SchemaId>,
    /// By number, the names of dynamic anchors that references name.
    anchors: Vec<&'d str>,
    /// By resource.
    dialects: BTreeMap<usize, Dialect>,
    done: Schemas,
}

impl<'d> Compiler<'d> {
    /// The number of the schema at a place, which is compiled later if it has not been.
    pub(crate) fn id(&mut self, place: Place) -> SchemaId {
        *self.ids.entry(place).or_insert_with(|| {
            self.places.push(place);
            SchemaId(self.places.len() as u32 - 1)
        })
    }

    fn all(&mut self) -> Result<(), String> {
        loop {
            while self.done.schemas.len() < self.places.len() {
                self.next()?;
            }
            self.find_dynamic_anchors();
            if self.done.schemas.len() == self.places.len() {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<(), String> {
        let place = self.places[self.done.schemas.len()];
        if self.places.len() > SCHEMAS_MAX {
            return Err(format!("there are more than {SCHEMAS_MAX} schemas; leave out what is not needed"));
        }
        let resource = self.documents.resource_of(place);
        let dialect = self.dialect(resource)?;
        let keywords = keywords::of(self, place, resource, dialect)?;
        let types = match keywords.first() {
            Some(Keyword::Type(types)) => *types,
            _ => Types::ALL,
        };
        let first = self.done.keywords.len() as u32 + u32::from(types != Types::ALL);
        let is_rest =
            |keyword: &Keyword| matches!(keyword, Keyword::UnevaluatedItems(_) | Keyword::UnevaluatedProperties(_));
        let is_about_the_rest = keywords.iter().any(is_rest);
        self.done.keywords.extend(keywords);
        let end = self.done.keywords.len() as u32;
        self.done.schemas.push(Schema { types, first, end, resource: resource as u32, is_about_the_rest });
        Ok(())
    }

    fn dialect(&mut self, resource: usize) -> Result<Dialect, String> {
        if let Some(dialect) = self.dialects.get(&resource) {
            return Ok(*dialect);
        }
        let root = self.documents.resource(resource).root;
        let whole = Place { node: 0, ..root };
        let has_own = self.documents.json(root.document).get(root.node, "$schema").is_some();
        let named = if has_own { root } else { whole };
        let dialect = Dialect::of(self.documents, named, self.asserts_formats)
            .map_err(|why| format!("{}: {why}", self.documents.name(named)))?;
        self.dialects.insert(resource, dialect);
        Ok(dialect)
    }

    /// What a reference in a resource leads to.
    pub(crate) fn reference(&mut self, resource: usize, reference: &str, is_dynamic: bool) -> Result<Keyword, String> {
        let target = self.documents.resolve(resource, reference)?;
        let otherwise = self.id(target.place);
        let Some(name) = target.dynamic_anchor.filter(|_| is_dynamic) else { return Ok(Keyword::Ref(otherwise)) };
        self.done.is_dynamic = true;
        let known = self.anchors.iter().position(|anchor| *anchor == name);
        let anchor = known.unwrap_or_else(|| {
            self.anchors.push(name);
            self.anchors.len() - 1
        });
        Ok(Keyword::DynamicRef { anchor: anchor as u32, otherwise })
    }

    /// The dynamic anchors of every resource that has been reached.
    fn find_dynamic_anchors(&mut self) {
        let reached: Vec<usize> = self.done.schemas.iter().map(|schema| schema.resource as usize).collect();
        self.done.dynamic_anchors = vec![Vec::new(); reached.iter().max().map_or(0, |last| last + 1)];
        for resource in reached {
            if !self.done.dynamic_anchors[resource].is_empty() {
                continue;
            }
            for number in 0..self.anchors.len() {
                if let Some(place) = self.documents.dynamic_anchor(resource, self.anchors[number]) {
                    let schema = self.id(place);
                    self.done.dynamic_anchors[resource].push((number as u32, schema));
                }
            }
        }
    }

    /// A schema that leads back to itself about the same value would never end.
    fn refuse_endless(&self) -> Result<(), String> {
        let Schemas { schemas, keywords, .. } = &self.done;
        let in_place = |schema: SchemaId| {
            let Schema { first, end, .. } = schemas[schema.0 as usize];
            keywords[first as usize..end as usize].iter().flat_map(Keyword::in_place).collect::<Vec<_>>()
        };
        // 0: not seen, 1: on the way, 2: known to end.
        let mut states = vec![0_u8; schemas.len()];
        for start in 0..schemas.len() {
            let mut way = vec![(SchemaId(start as u32), false)];
            while let Some((schema, has_returned)) = way.pop() {
                let state = &mut states[schema.0 as usize];
                if has_returned {
                    *state = 2;
                } else if *state == 0 {
                    *state = 1;
                    way.push((schema, true));
                    for next in in_place(schema) {
                        if states[next.0 as usize] == 1 {
                            let name = self.documents.name(self.places[next.0 as usize]);
                            return Err(format!(
                                "{name}: this schema leads back to itself about the same value, without end"
                            ));
                        }
                        way.push((next, false));
                    }
                }
            }
        }
        Ok(())
    }
}
