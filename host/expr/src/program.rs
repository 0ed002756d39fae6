//! A compiled expression: the columns it reads and a tree whose leaves are the common comparisons, each of which reads
//! one slot in the kind it needs and compares it with a constant.

use crate::ast::{Method, Relation};
use crate::limits::COLUMNS_MAX;
use crate::needle::Needle;
use crate::numbers::Arithmetic;
use crate::pattern::Pattern;
use crate::{Column, CompileError, Constant, EvalError, Fields, Value, compiler};

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Program {
    columns: Vec<Column>,
    root: Term,
}

impl Program {
    /// Compiles an expression of any type.
    ///
    /// # Errors
    /// The first problem found, with its place.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let (root, columns) = compiler::compile(source, compiler::Wanted::Value)?;
        debug_assert!(columns.len() <= COLUMNS_MAX, "the compiler counts columns");
        Ok(Self { columns, root })
    }

    /// Compiles an expression that is true or false. One that never is, such as `"a"` or `1 + 1`, is refused; a field
    /// by itself is read as a boolean.
    ///
    /// # Errors
    /// The first problem found, with its place.
    pub fn condition(source: &str) -> Result<Self, CompileError> {
        let (root, columns) = compiler::compile(source, compiler::Wanted::Boolean)?;
        Ok(Self { columns, root })
    }

    /// The columns that the program reads, without doubles. Slot n is column n until [`Program::bind`] is called.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Makes the program read each of its columns from another slot, so that several programs share one set of
    /// columns without a look-up per read. [`Program::columns`] stays as it is; binding again starts from it.
    ///
    /// `slots[n]` is the slot of column n, below 2^32.
    ///
    /// # Panics
    /// When `slots` has not one slot per column.
    pub fn bind(&mut self, slots: &[usize]) {
        assert!(slots.len() == self.columns.len(), "one slot per column");
        self.root.bind(slots);
    }

    /// Whether the condition holds for an event. An error counts as no: a rule does not match an event that it cannot
    /// be asked about.
    #[inline(always)]
    pub fn matches(&self, fields: &impl Fields) -> bool {
        self.root.holds(fields)
    }

    /// The condition's answer for an event.
    ///
    /// # Errors
    /// When the event lacks a field or has one of another type, and no `&&`, `||` or `?:` decided without it.
    #[inline]
    pub fn test(&self, fields: &impl Fields) -> Result<bool, EvalError> {
        self.root.test(fields).into()
    }

    /// The expression's value for an event.
    ///
    /// # Errors
    /// As for [`Program::test`].
    pub fn evaluate<'v>(&'v self, fields: &'v impl Fields) -> Result<Value<'v>, EvalError> {
        self.root.evaluate(fields)
    }
}

/// Where a column is read. The column is what it was compiled to, the slot what it is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) column: u16,
    pub(crate) index: u32,
}

impl Slot {
    pub(crate) fn new(column: usize) -> Self {
        Self { column: column as u16, index: column as u32 } // COLUMNS_MAX fits
    }

    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    fn bind(&mut self, slots: &[usize]) {
        self.index = slots[usize::from(self.column)] as u32;
    }
}

/// A part that is true or false.
#[derive(Debug, Clone)]
#[repr(u8)] // so that one look tells them apart, which is much of what a comparison costs
pub(crate) enum Test {
    Always(bool),
    And(Box<[Test]>),
    Or(Box<[Test]>),
    Not(Box<Test>),
    /// Condition, answer if true, answer if false.
    Choose(Box<[Test; 3]>),
    /// The field is there, be it null.
    Has(Slot),
    /// The field is null.
    IsNull(Slot),
    /// A boolean column by itself.
    Flag(Slot),
    /// A boolean column compared with a constant.
    FlagEquals(Slot, bool),
    TextEquals(Slot, Box<str>),
    /// Sorted by length, then by bytes.
    TextIn(Slot, Box<[Box<str>]>),
    TextOrder(Slot, Order, Box<str>),
    TextMethod(Slot, TextTest),
    FloatEquals(Slot, f64),
    FloatIn(Slot, Box<[f64]>),
    FloatOrder(Slot, Order, f64),
    // What follows works on any values.
    Equals(Box<[Term; 2]>),
    Ordered(Order, Box<[Term; 2]>),
    /// Element and container.
    In(Box<[Term; 2]>),
    /// Element and the items of a list literal that are no constants.
    InItems(Box<Term>, Box<[Term]>),
    /// A string method other than `matches`; receiver and argument.
    Method(Method, Box<[Term; 2]>),
    Matches(Box<Term>, Box<Pattern>),
}

/// A string method with a literal argument.
#[derive(Debug, Clone)]
pub(crate) enum TextTest {
    Contains(Needle),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Box<Pattern>),
}

/// The four orderings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A part with a value.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(crate) enum Term {
    Constant(Constant),
    /// A column of kind json.
    Json(Slot),
    /// A column of kind text.
    Text(Slot),
    Test(Box<Test>),
    Negate(Box<Term>),
    Arithmetic(Arithmetic, Box<[Term; 2]>),
    Choose(Box<(Test, [Term; 2])>),
    Size(Box<Term>),
}

impl Term {
    fn bind(&mut self, slots: &[usize]) {
        match self {
            Self::Constant(_) => {}
            Self::Json(slot) | Self::Text(slot) => slot.bind(slots),
            Self::Test(test) => test.bind(slots),
            Self::Negate(term) | Self::Size(term) => term.bind(slots),
            Self::Arithmetic(_, terms) => bind_all(terms.as_mut_slice(), slots),
            Self::Choose(parts) => {
                parts.0.bind(slots);
                bind_all(&mut parts.1, slots);
            }
        }
    }
}

impl Test {
    fn bind(&mut self, slots: &[usize]) {
        match self {
            Self::Always(_) => {}
            Self::And(tests) | Self::Or(tests) => tests.iter_mut().for_each(|test| test.bind(slots)),
            Self::Not(test) => test.bind(slots),
            Self::Choose(tests) => tests.iter_mut().for_each(|test| test.bind(slots)),
            Self::Has(slot)
            | Self::IsNull(slot)
            | Self::Flag(slot)
            | Self::FlagEquals(slot, _)
            | Self::TextEquals(slot, _)
            | Self::TextIn(slot, _)
            | Self::TextOrder(slot, ..)
            | Self::TextMethod(slot, _)
            | Self::FloatEquals(slot, _)
            | Self::FloatIn(slot, _)
            | Self::FloatOrder(slot, ..) => slot.bind(slots),
            Self::Equals(terms) | Self::Ordered(_, terms) | Self::In(terms) | Self::Method(_, terms) => {
                bind_all(terms.as_mut_slice(), slots)
            }
            Self::InItems(term, items) => {
                term.bind(slots);
                bind_all(items, slots);
            }
            Self::Matches(term, _) => term.bind(slots),
        }
    }
}

fn bind_all(terms: &mut [Term], slots: &[usize]) {
    terms.iter_mut().for_each(|term| term.bind(slots));
}

impl Order {
    /// The ordering that a relation is, if it is one.
    pub(crate) fn of(relation: Relation) -> Option<Self> {
        match relation {
            Relation::Less => Some(Self::Less),
            Relation::LessOrEqual => Some(Self::LessOrEqual),
            Relation::Greater => Some(Self::Greater),
            Relation::GreaterOrEqual => Some(Self::GreaterOrEqual),
            Relation::Equal | Relation::NotEqual | Relation::In => None,
        }
    }

    /// The same ordering with its sides exchanged.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}
