//! An expression as written, before fields are resolved.

use crate::Constant;
use crate::numbers::Arithmetic;

/// A part of an expression and where it begins.
#[derive(Debug)]
pub(crate) struct Expr {
    /// Byte offset into the source.
    pub(crate) at: usize,
    /// Levels of nodes from here down, this one included; the parser keeps it within the limit.
    pub(crate) height: usize,
    pub(crate) node: Node,
}

#[derive(Debug)]
pub(crate) enum Node {
    Literal(Constant),
    /// Keys of a field, outermost first.
    Path(Vec<String>),
    List(Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Relation(Relation, Box<Expr>, Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// Condition, value if true, value if false.
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    Has(Vec<String>),
    Size(Box<Expr>),
    /// Receiver and argument.
    Method(Method, Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Contains,
    StartsWith,
    EndsWith,
    Matches,
}

impl Expr {
    /// What the value is, for a message, when it can be told without an event.
    pub(crate) fn description(&self) -> Option<&'static str> {
        match &self.node {
            Node::Literal(Constant::Null) => Some("null"),
            Node::Literal(Constant::Bool(_)) => Some("a boolean"),
            Node::Literal(Constant::Int(_) | Constant::UInt(_) | Constant::Float(_)) => Some("a number"),
            Node::Literal(Constant::Text(_)) => Some("a text"),
            Node::Literal(Constant::List(_)) | Node::List(_) => Some("a list"),
            Node::Negate(_) | Node::Arithmetic(..) | Node::Size(_) => Some("a number"),
            Node::Not(_) | Node::And(_) | Node::Or(_) | Node::Relation(..) | Node::Has(_) | Node::Method(..) => {
                Some("a boolean")
            }
            Node::Path(_) | Node::Choose(..) => None,
        }
    }
}
