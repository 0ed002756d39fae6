//! The documents of the config, and where in them a reference leads. Nothing is fetched: what is not given is not there.

use std::collections::BTreeMap;

use fluent_uri::{Iri, IriRef};

use crate::tape::{Document, Json, Kind};

/// What relative references of a document without a name of its own are held against.
const NAMELESS: &str = "wasmill:///";

/// Keywords whose value is a schema.
const ONE: &[&str] = &[
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LIST: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value has schemas by name.
const MAP: &[&str] = &["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// A value in one of the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) document: usize,
    pub(crate) node: u32,
}

/// A schema with a URI of its own, and what can be referred to in it by name.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) root: Place,
    uri: Iri<String>,
    anchors: BTreeMap<String, Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    node: u32,
    is_dynamic: bool,
}

/// Where a reference leads.
#[derive(Debug)]
pub(crate) struct Target<'d> {
    pub(crate) place: Place,
    /// The name of the dynamic anchor that it names.
    pub(crate) dynamic_anchor: Option<&'d str>,
}

#[derive(Debug)]
struct Source {
    /// As a sentence names it.
    name: String,
    document: Document,
}

/// All documents.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    sources: Vec<Source>,
    resources: Vec<Resource>,
    by_uri: BTreeMap<String, usize>,
}

impl Documents {
    /// Adds a document, which is called `name` in sentences; `uri` is where it would be fetched from.
    ///
    /// # Errors
    /// A sentence, when its names are none, or those of another one.
    pub(crate) fn add(&mut self, name: String, uri: &str, text: String) -> Result<Place, String> {
        let document = Document::new(text).ok_or_else(|| format!("{name} is no JSON"))?;
        let place = Place { document: self.sources.len(), node: 0 };
        let base = IriRef::parse(uri).ok().and_then(|uri| uri.resolve_against(&nameless()).ok());
        let base = base.ok_or_else(|| format!("{name}: `{uri}` is no URI"))?;
        let base = without_fragment(&base);
        let mut walk = Walk { json: document.json(), document: place.document, found: Vec::new() };
        walk.found.push(Resource { root: place, uri: base.clone(), anchors: BTreeMap::new() });
        walk.schema(0, 0).map_err(|why| format!("{name}, {why}"))?;
        let first = self.resources.len();
        self.register(base.as_str(), first, &name)?;
        for resource in walk.found {
            let number = self.resources.len();
            self.register(resource.uri.as_str(), number, &name)?;
            self.resources.push(resource);
        }
        self.sources.push(Source { name, document });
        Ok(place)
    }

    fn register(&mut self, uri: &str, number: usize, name: &str) -> Result<(), String> {
        match self.by_uri.insert(uri.to_owned(), number) {
            Some(other) if other != number => Err(format!("{name}: another schema is called `{uri}` too")),
            _ => Ok(()),
        }
    }

    pub(crate) fn json(&self, document: usize) -> Json<'_> {
        self.sources[document].document.json()
    }

    /// A place in a sentence.
    pub(crate) fn name(&self, place: Place) -> String {
        let (pointer, _) = crate::pointer::of(self.json(place.document), place.node);
        let name = &self.sources[place.document].name;
        if pointer.is_empty() { name.clone() } else { format!("{name}, {pointer}") }
    }

    pub(crate) fn resource(&self, number: usize) -> &Resource {
        &self.resources[number]
    }

    /// The resource that a place is in: the innermost.
    pub(crate) fn resource_of(&self, place: Place) -> usize {
        let json = self.json(place.document);
        let is_around = |resource: &Resource| {
            let root = resource.root;
            root.document == place.document && (root.node..json.end(root.node)).contains(&place.node)
        };
        self.resources.iter().rposition(is_around).expect("a document is a resource itself")
    }

    /// The root of the resource with this URI.
    pub(crate) fn root(&self, uri: &str) -> Option<Place> {
        let uri = Iri::parse(uri).ok()?.to_owned();
        self.by_uri.get(without_fragment(&uri).as_str()).map(|number| self.resources[*number].root)
    }

    /// The place of a resource's dynamic anchor.
    pub(crate) fn dynamic_anchor(&self, resource: usize, name: &str) -> Option<Place> {
        let Resource { root, anchors, .. } = &self.resources[resource];
        let anchor = anchors.get(name).filter(|anchor| anchor.is_dynamic)?;
        Some(Place { document: root.document, node: anchor.node })
    }

    /// Where a reference in a resource leads.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the reference.
    pub(crate) fn resolve(&self, resource: usize, reference: &str) -> Result<Target<'_>, String> {
        let base = &self.resources[resource].uri;
        let parsed = IriRef::parse(reference).map_err(|_| "is no URI reference".to_owned())?;
        let whole = parsed.resolve_against(base).map_err(|why| format!("leads nowhere: {why}"))?;
        let uri = without_fragment(&whole);
        let Some(number) = self.by_uri.get(uri.as_str()) else {
            return Err(format!(
                "leads to `{}`, which is not among the given schemas; nothing is fetched: add it under `schemas`",
                uri.as_str()
            ));
        };
        let fragment = whole.fragment().map(|fragment| fragment.decode().to_string_lossy()).unwrap_or_default();
        let Resource { root, anchors, .. } = &self.resources[*number];
        let at = |node| Place { document: root.document, node };
        if fragment.is_empty() || fragment.starts_with('/') {
            let node = crate::pointer::follow(self.json(root.document), root.node, &fragment);
            let node = node.ok_or_else(|| format!("leads to `{}`, where nothing is", whole.as_str()))?;
            return Ok(Target { place: at(node), dynamic_anchor: None });
        }
        let (name, anchor) = anchors
            .get_key_value(fragment.as_ref())
            .ok_or_else(|| format!("leads to the anchor `{fragment}`, which `{}` does not have", uri.as_str()))?;
        Ok(Target { place: at(anchor.node), dynamic_anchor: anchor.is_dynamic.then_some(name.as_str()) })
    }
}

fn nameless() -> Iri<String> {
    Iri::parse(NAMELESS).expect("a constant that is right").to_owned()
}

fn without_fragment(uri: &Iri<String>) -> Iri<String> {
    uri.strip_fragment().normalize()
}

/// Finds the resources and anchors of a document. Only where the specification has a schema: an `$id` in an example is none.
struct Walk<'d> {
    json: Json<'d>,
    document: usize,
    found: Vec<Resource>,
}

impl<'d> Walk<'d> {
    fn schema(&mut self, node: u32, outer: usize) -> Result<(), String> {
        let json = self.json;
        if json.kind(node) != Kind::Object {
            return Ok(());
        }
        let resource = match self.text(node, "$id") {
            Some(id) => self.resource(node, outer, id)?,
            None => outer,
        };
        for (keyword, is_dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
            if let Some(name) = self.text(node, keyword) {
                let known = self.found[resource].anchors.insert(name.to_owned(), Anchor { node, is_dynamic });
                if known.is_some_and(|other| other.node != node) {
                    return Err(format!("{}: the anchor `{name}` is there twice", crate::pointer::of(json, node).0));
                }
            }
        }
        for key in json.members(node) {
            let (name, value) = (json.text(key), key + 1);
            let kind = json.kind(value);
            if ONE.contains(&name) {
                self.schema(value, resource)?;
            } else if LIST.contains(&name) && kind == Kind::Array {
                json.elements(value).try_for_each(|element| self.schema(element, resource))?;
            } else if MAP.contains(&name) && kind == Kind::Object {
                json.members(value).try_for_each(|member| self.schema(member + 1, resource))?;
            }
        }
        Ok(())
    }

    fn resource(&mut self, node: u32, outer: usize, id: &str) -> Result<usize, String> {
        let uri = IriRef::parse(id).ok().and_then(|id| id.resolve_against(&self.found[outer].uri).ok());
        let uri =
            uri.ok_or_else(|| format!("{}: the `$id` {id:?} is no URI", crate::pointer::of(self.json, node).0))?;
        let uri = without_fragment(&uri);
        if node == 0 {
            self.found[outer].uri = uri;
            return Ok(outer);
        }
        self.found.push(Resource { root: Place { document: self.document, node }, uri, anchors: BTreeMap::new() });
        Ok(self.found.len() - 1)
    }

    fn text(&self, node: u32, key: &str) -> Option<&'d str> {
        let value = self.json.get(node, key)?;
        (self.json.kind(value) == Kind::Text).then(|| self.json.text(value))
    }
}
