//! A compiled schema: keywords in the order in which they are asked, with everything looked up that can be.

use std::cmp::Ordering;

use wasmill_sdk::TextMap;

use crate::format::Format;
use crate::number::{Divisor, Limit};
use crate::pattern::Pattern;
use crate::tape::{Document, Kind};

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
    /// The types of its values. Where they are not all, the keyword stands before the first.
    pub(crate) types: Types,
    /// Its other keywords, a range of [`Schemas::keywords`].
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
    /// Stands before a schema's first keyword, and is asked with it.
    Type(Types),
    Const(Document),
    Enum {
        texts: TextMap<()>,
        others: Vec<Document>,
        shown: String,
    },
    Bound {
        bound: Bound,
        limit: Limit,
    },
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
    Items {
        prefix: Vec<SchemaId>,
        rest: Option<SchemaId>,
    },
    Contains {
        schema: SchemaId,
        count: Count,
    },
    Ref(SchemaId),
    /// The anchor's number, and the schema where no resource on the way has that anchor.
    DynamicRef {
        anchor: u32,
        otherwise: SchemaId,
    },
    AllOf(Vec<SchemaId>),
    AnyOf(Vec<SchemaId>),
    OneOf(Vec<SchemaId>),
    Not(SchemaId),
    If {
        condition: SchemaId,
        then: Option<SchemaId>,
        otherwise: Option<SchemaId>,
    },
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

impl Bound {
    #[inline]
    pub(crate) fn allows(self, order: Ordering) -> bool {
        match self {
            Bound::Minimum => order.is_ge(),
            Bound::ExclusiveMinimum => order.is_gt(),
            Bound::Maximum => order.is_le(),
            Bound::ExclusiveMaximum => order.is_lt(),
        }
    }
}

/// Types: a bit for each kind of value, and one for numbers without fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types(u8);

const INTEGER: u8 = 1 << 7;

impl Types {
    pub(crate) const NONE: Types = Types(0);
    pub(crate) const ALL: Types = Types(u8::MAX);
    const NAMES: [(&'static str, u8); 7] = [
        ("null", 1 << Kind::Null as u8),
        ("boolean", 1 << Kind::False as u8 | 1 << Kind::True as u8),
        ("object", 1 << Kind::Object as u8),
        ("array", 1 << Kind::Array as u8),
        ("string", 1 << Kind::Text as u8),
        ("number", 1 << Kind::Number as u8),
        ("integer", INTEGER),
    ];

    /// Adds a type by its name.
    pub(crate) fn add(&mut self, name: &str) -> Option<()> {
        self.0 |= Self::NAMES.iter().find(|(known, _)| *known == name)?.1;
        Some(())
    }

    /// The names, in a sentence.
    pub(crate) fn names(self) -> String {
        let named = Self::NAMES.iter().filter(|(_, bits)| self.0 & bits != 0);
        named.map(|(name, _)| *name).collect::<Vec<_>>().join(" or ")
    }

    /// Whether every value of a kind is of one of the types.
    #[inline]
    pub(crate) fn allow(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 != 0
    }

    /// Whether integers are.
    pub(crate) fn allow_integers(self) -> bool {
        self.0 & INTEGER != 0
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
