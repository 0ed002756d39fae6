//! A compiled schema: keywords in the order in which they are asked, with everything looked up that can be.

use wasmill_sdk::TextMap;

use crate::format::Format;
use crate::number::{Divisor, Limit};
use crate::pattern::Pattern;
use crate::tape::{Document, Json, Kind};

/// The number of a schema in [`Schemas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SchemaId(pub(crate) u32);

/// Every schema that is reached from the first one, which is the one that events are held against.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) keywords: Vec<Keyword>,
    /// By resource, the targets of dynamic references: the anchor's number and its schema.
    pub(crate) dynamic_anchors: Vec<Vec<(u32, SchemaId)>>,
    /// Whether some reference depends on the way that led to it.
    pub(crate) is_dynamic: bool,
}

/// One schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// Its keywords, a range of [`Schemas::keywords`].
    pub(crate) first: u32,
    pub(crate) end: u32,
    /// The resource that it is in.
    pub(crate) resource: u32,
    /// Whether it has to know which members or elements its keywords have looked at.
    pub(crate) is_about_the_rest: bool,
}

/// What one keyword, or a few that belong together, ask.
#[derive(Debug)]
pub(crate) enum Keyword {
    /// The schema `false`.
    Never,
    Type(Types),
    Const(Document),
    Enum { texts: TextMap<()>, others: Vec<Document>, shown: String },
    Bound { bound: Bound, limit: Limit },
    MultipleOf(Divisor),
    /// Characters of a text.
    Length(Count),
    Pattern(Pattern),
    Format(Format),
    /// Elements of an array.
    Elements(Count),
    UniqueItems,
    /// Members of an object.
    Members(Count),
    DependentRequired(Vec<(String, Vec<String>)>),
    Properties(Box<Properties>),
    PropertyNames(SchemaId),
    Items { prefix: Vec<SchemaId>, rest: Option<SchemaId> },
    Contains { schema: SchemaId, count: Count },
    Ref(SchemaId),
    /// The anchor's number, and the schema where no resource on the way has that anchor.
    DynamicRef { anchor: u32, otherwise: SchemaId },
    AllOf(Vec<SchemaId>),
    AnyOf(Vec<SchemaId>),
    OneOf(Vec<SchemaId>),
    Not(SchemaId),
    If { condition: SchemaId, then: Option<SchemaId>, otherwise: Option<SchemaId> },
    DependentSchemas(Vec<(String, SchemaId)>),
    UnevaluatedItems(SchemaId),
    UnevaluatedProperties(SchemaId),
}

/// `required`, `properties`, `patternProperties` and `additionalProperties`: one walk over the members.
#[derive(Debug)]
pub(crate) struct Properties {
    pub(crate) named: TextMap<Property>,
    pub(crate) required: Vec<String>,
    pub(crate) patterns: Vec<(Pattern, SchemaId)>,
    pub(crate) additional: Option<SchemaId>,
}

/// What is said about one name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Property {
    pub(crate) schema: Option<SchemaId>,
    pub(crate) is_required: bool,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Count {
    #[inline]
    pub(crate) fn allows(self, count: u64) -> bool {
        (self.min..=self.max).contains(&count)
    }
}

/// On which side of its limit a number has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Minimum,
    ExclusiveMinimum,
    Maximum,
    ExclusiveMaximum,
}

/// Types, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    const NAMES: [&'static str; 7] = ["null", "boolean", "object", "array", "string", "number", "integer"];
    const NUMBER: u8 = 1 << 5;
    const INTEGER: u8 = 1 << 6;

    /// Adds a type by its name.
    pub(crate) fn add(&mut self, name: &str) -> Option<()> {
        self.0 |= 1 << Self::NAMES.iter().position(|known| *known == name)?;
        Some(())
    }

    /// The names, in a sentence.
    pub(crate) fn names(self) -> String {
        let named = |(bit, name): (usize, &&'static str)| (self.0 & 1 << bit != 0).then_some(*name);
        Self::NAMES.iter().enumerate().filter_map(named).collect::<Vec<_>>().join(" or ")
    }

    /// Whether a value is of one of the types.
    #[inline]
    pub(crate) fn allow(self, json: Json<'_>, node: u32) -> bool {
        let bit = match json.kind(node) {
            Kind::Null | Kind::Shadowed => 1,
            Kind::False | Kind::True => 1 << 1,
            Kind::Object => 1 << 2,
            Kind::Array => 1 << 3,
            Kind::Text => 1 << 4,
            Kind::Number => {
                return self.0 & Self::NUMBER != 0
                    || self.0 & Self::INTEGER != 0 && crate::number::is_integer(json.text(node));
            }
        };
        self.0 & bit != 0
    }
}

impl Keyword {
    /// The schemas that it asks about the same value.
    pub(crate) fn in_place(&self) -> Vec<SchemaId> {
        match self {
            Keyword::Ref(schema) | Keyword::Not(schema) => vec![*schema],
            Keyword::AllOf(schemas) | Keyword::AnyOf(schemas) | Keyword::OneOf(schemas) => schemas.clone(),
            Keyword::If { condition, then, otherwise } => {
                [Some(*condition), *then, *otherwise].into_iter().flatten().collect()
            }
            Keyword::DependentSchemas(schemas) => schemas.iter().map(|(_, schema)| *schema).collect(),
            _ => Vec::new(),
        }
    }
}
