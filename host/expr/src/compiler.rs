//! The tree of an expression into a [`Program`](crate::Program): every use of a field is resolved to the column that
//! its surroundings ask for.
//!
//! The kind is inferred per use, never per field: `a == "x" || a > 3` reads `a` as text and as a float, and each use
//! sees a value of another type as just that. A use that could take several types reads the raw JSON token.
//! `has(a)` and `a == null` ask only whether something is there, so they share whatever column of `a` is read anyway.

use crate::ast::{Expr, Method, Node, Relation};
use crate::error::{Failure, Refusal, Refused};
use crate::eval::by_length;
use crate::limits::COLUMNS_MAX;
use crate::needle::Needle;
use crate::numbers::EXACT_FLOAT_LIMIT;
use crate::pattern::Pattern;
use crate::program::{Order, Slot, Term, Test, TextTest};
use crate::{Column, CompileError, Constant, Kind, Problem, join_path, parser};

/// What an expression has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Value,
    Boolean,
}

/// Compiles a source into its root and the columns it reads.
pub(crate) fn compile(source: &str, wanted: Wanted) -> Result<(Term, Vec<Column>), CompileError> {
    compile_parsed(source, wanted).map_err(|failure| CompileError::new(source, *failure))
}

#[inline(never)]
fn compile_parsed(source: &str, wanted: Wanted) -> Result<(Term, Vec<Column>), Box<Failure>> {
    let expr = parser::parse(source)?;
    let mut compiler = Compiler { columns: Vec::new(), pass: Pass::FindColumns, refusal: Refusal::default() };
    match compiler.both_passes(&expr, wanted) {
        Ok(root) => Ok((root, compiler.columns)),
        Err(refused) => Err(compiler.refusal.failure(refused)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    FindColumns,
    Build,
}

type Compiled<T> = Result<T, Refused>;

struct Compiler {
    columns: Vec<Column>,
    pass: Pass,
    refusal: Refusal,
}

impl Compiler {
    /// Presence tests take whatever column of their field there is, so a first pass finds the columns of all other uses.
    fn both_passes(&mut self, expr: &Expr, wanted: Wanted) -> Compiled<Term> {
        self.root(expr, wanted)?;
        self.pass = Pass::Build;
        self.root(expr, wanted)
    }

    fn root(&mut self, expr: &Expr, wanted: Wanted) -> Compiled<Term> {
        match wanted {
            Wanted::Value => self.term(expr),
            Wanted::Boolean => self.test(expr).map(|test| Term::Test(Box::new(test))),
        }
    }

    /// A part in a place that wants true or false.
    fn test(&mut self, expr: &Expr) -> Compiled<Test> {
        match &expr.node {
            Node::Literal(Constant::Bool(answer)) => Ok(Test::Always(*answer)),
            Node::Path(keys) => self.slot(expr.at, keys, Kind::Boolean).map(Test::Flag),
            Node::Not(inner) => self.test(inner).map(|test| Test::Not(Box::new(test))),
            Node::And(operands) => self.tests(operands).map(Test::And),
            Node::Or(operands) => self.tests(operands).map(Test::Or),
            Node::Choose(condition, yes, no) => {
                Ok(Test::Choose(Box::new([self.test(condition)?, self.test(yes)?, self.test(no)?])))
            }
            Node::Has(keys) => self.presence(expr.at, keys).map(Test::Has),
            Node::Relation(relation, left, right) => self.relation(*relation, left, right),
            Node::Method(method, receiver, argument) => self.method(*method, receiver, argument),
            Node::Literal(_) | Node::List(_) | Node::Negate(_) | Node::Arithmetic(..) | Node::Size(_) => {
                Err(self.refusal.at(expr.at, Problem::NotBoolean(expr.description().unwrap_or("this"))))
            }
        }
    }

    fn tests(&mut self, operands: &[Expr]) -> Compiled<Box<[Test]>> {
        let mut tests = Vec::with_capacity(operands.len());
        for operand in operands {
            tests.push(self.test(operand)?);
        }
        Ok(tests.into())
    }

    /// A part in a place that takes any value.
    fn term(&mut self, expr: &Expr) -> Compiled<Term> {
        match &expr.node {
            Node::Literal(constant) => Ok(Term::Constant(constant.clone())),
            Node::Path(keys) => self.slot(expr.at, keys, Kind::Json).map(Term::Json),
            Node::List(items) => self.list_constant(items).map(Term::Constant),
            Node::Negate(inner) => self.term(inner).map(|term| Term::Negate(Box::new(term))),
            Node::Size(inner) => self.term(inner).map(|term| Term::Size(Box::new(term))),
            Node::Arithmetic(operation, left, right) => {
                self.operands(left, right).map(|terms| Term::Arithmetic(*operation, terms))
            }
            Node::Choose(condition, yes, no) => {
                Ok(Term::Choose(Box::new((self.test(condition)?, [self.term(yes)?, self.term(no)?]))))
            }
            Node::Not(_) | Node::And(_) | Node::Or(_) | Node::Has(_) | Node::Relation(..) | Node::Method(..) => {
                self.test(expr).map(|test| Term::Test(Box::new(test)))
            }
        }
    }

    /// The sides of an arithmetic operator.
    fn operands(&mut self, left: &Expr, right: &Expr) -> Compiled<Box<[Term; 2]>> {
        for side in [left, right] {
            if matches!(side.node, Node::Literal(Constant::Text(_)) | Node::List(_)) {
                return Err(self.refusal.not_supported(side.at, "concatenation is", "compare the parts one by one"));
            }
        }
        self.pair(left, right)
    }

    #[inline(never)]
    fn pair(&mut self, left: &Expr, right: &Expr) -> Compiled<Box<[Term; 2]>> {
        Ok(Box::new([self.term(left)?, self.term(right)?]))
    }

    fn relation(&mut self, relation: Relation, left: &Expr, right: &Expr) -> Compiled<Test> {
        if let Some(order) = Order::of(relation) {
            return self.ordered(order, left, right);
        }
        match relation {
            Relation::In => self.element(left, right),
            Relation::NotEqual => self.equals(left, right).map(|test| Test::Not(Box::new(test))),
            _ => self.equals(left, right),
        }
    }

    fn equals(&mut self, left: &Expr, right: &Expr) -> Compiled<Test> {
        let test = match (&left.node, &right.node) {
            (Node::Path(keys), Node::Literal(constant)) => self.field_equals(left.at, keys, constant)?,
            (Node::Literal(constant), Node::Path(keys)) => self.field_equals(right.at, keys, constant)?,
            _ => None,
        };
        match test {
            Some(test) => Ok(test),
            None => self.pair(left, right).map(Test::Equals),
        }
    }

    fn field_equals(&mut self, at: usize, keys: &[String], constant: &Constant) -> Compiled<Option<Test>> {
        let test = match constant {
            Constant::Null => Test::IsNull(self.presence(at, keys)?),
            Constant::Bool(flag) => Test::FlagEquals(self.slot(at, keys, Kind::Boolean)?, *flag),
            Constant::Text(text) => Test::TextEquals(self.slot(at, keys, Kind::Text)?, text.clone()),
            _ => match exact_float(constant) {
                Some(number) => Test::FloatEquals(self.slot(at, keys, Kind::Float)?, number),
                None => return Ok(None),
            },
        };
        Ok(Some(test))
    }

    fn ordered(&mut self, order: Order, left: &Expr, right: &Expr) -> Compiled<Test> {
        let test = match (&left.node, &right.node) {
            (Node::Path(keys), Node::Literal(constant)) => self.field_ordered(left.at, keys, order, constant)?,
            (Node::Literal(constant), Node::Path(keys)) => {
                self.field_ordered(right.at, keys, order.flipped(), constant)?
            }
            _ => None,
        };
        match test {
            Some(test) => Ok(test),
            None => self.pair(left, right).map(|terms| Test::Ordered(order, terms)),
        }
    }

    fn field_ordered(
        &mut self,
        at: usize,
        keys: &[String],
        order: Order,
        constant: &Constant,
    ) -> Compiled<Option<Test>> {
        if let Constant::Text(text) = constant {
            return Ok(Some(Test::TextOrder(self.slot(at, keys, Kind::Text)?, order, text.clone())));
        }
        let Some(number) = exact_float(constant) else { return Ok(None) };
        Ok(Some(Test::FloatOrder(self.slot(at, keys, Kind::Float)?, order, number)))
    }

    fn element(&mut self, element: &Expr, container: &Expr) -> Compiled<Test> {
        let Node::List(items) = &container.node else {
            return self.pair(element, container).map(Test::In);
        };
        if let (Node::Path(keys), false) = (&element.node, items.is_empty()) {
            if let Some(texts) = texts(items) {
                return Ok(Test::TextIn(self.slot(element.at, keys, Kind::Text)?, texts));
            }
            if let Some(numbers) = floats(items) {
                return Ok(Test::FloatIn(self.slot(element.at, keys, Kind::Float)?, numbers));
            }
        }
        let wanted = Box::new(self.term(element)?);
        let mut terms = Vec::with_capacity(items.len());
        for item in items {
            terms.push(self.term(item)?);
        }
        Ok(Test::InItems(wanted, terms.into()))
    }

    fn method(&mut self, method: Method, receiver: &Expr, argument: &Expr) -> Compiled<Test> {
        if method == Method::Matches {
            let pattern = Box::new(self.pattern(argument)?);
            return match &receiver.node {
                Node::Path(keys) => {
                    let slot = self.slot(receiver.at, keys, Kind::Text)?;
                    Ok(Test::TextMethod(slot, TextTest::Matches(pattern)))
                }
                _ => Ok(Test::Matches(Box::new(self.text(receiver)?), pattern)),
            };
        }
        if let (Node::Path(keys), Node::Literal(Constant::Text(part))) = (&receiver.node, &argument.node) {
            let slot = self.slot(receiver.at, keys, Kind::Text)?;
            return Ok(Test::TextMethod(slot, text_test(method, part)));
        }
        Ok(Test::Method(method, Box::new([self.text(receiver)?, self.text(argument)?])))
    }

    /// A part in a place that wants text.
    fn text(&mut self, expr: &Expr) -> Compiled<Term> {
        match &expr.node {
            Node::Path(keys) => self.slot(expr.at, keys, Kind::Text).map(Term::Text),
            Node::Literal(Constant::Text(_)) => self.term(expr),
            _ => {
                let term = self.term(expr)?; // a problem further in is the more telling one
                match expr.description() {
                    Some(what) => Err(self.refusal.at(expr.at, Problem::NotText(what))),
                    None => Ok(term),
                }
            }
        }
    }

    /// The slot of a field read as one kind.
    fn slot(&mut self, at: usize, keys: &[String], kind: Kind) -> Compiled<Slot> {
        let path = join_path(keys);
        if let Some(index) = self.columns.iter().position(|column| column.kind == kind && column.path == path) {
            return Ok(Slot::new(index));
        }
        if self.columns.len() == COLUMNS_MAX {
            return Err(self.refusal.at(at, Problem::TooManyColumns));
        }
        self.columns.push(Column { path, kind });
        Ok(Slot::new(self.columns.len() - 1))
    }

    /// The slot of a field of which only the state is read.
    fn presence(&mut self, at: usize, keys: &[String]) -> Compiled<Slot> {
        if self.pass == Pass::FindColumns {
            return Ok(Slot::new(0));
        }
        let path = join_path(keys);
        match self.columns.iter().position(|column| column.path == path) {
            Some(index) => Ok(Slot::new(index)),
            None => self.slot(at, keys, Kind::Json),
        }
    }

    /// A list outside of `in` is a constant.
    fn list_constant(&mut self, items: &[Expr]) -> Compiled<Constant> {
        let mut constants = Vec::with_capacity(items.len());
        for item in items {
            constants.push(match &item.node {
                Node::Literal(constant) => constant.clone(),
                Node::List(inner) => self.list_constant(inner)?,
                _ => {
                    let instead = "write literals, or put the list directly after `in`";
                    return Err(self.refusal.not_supported(item.at, "computed elements in a list are", instead));
                }
            });
        }
        Ok(Constant::List(constants.into()))
    }

    fn pattern(&mut self, argument: &Expr) -> Compiled<Pattern> {
        let Node::Literal(Constant::Text(pattern)) = &argument.node else {
            let instead = "write the pattern as a text, so that it is checked before any event comes";
            return Err(self.refusal.not_supported(argument.at, "a computed pattern is", instead));
        };
        Pattern::new(pattern).map_err(|why| self.refusal.at(argument.at, Problem::BadPattern(why)))
    }
}

fn text_test(method: Method, part: &str) -> TextTest {
    match method {
        Method::StartsWith => TextTest::StartsWith(part.into()),
        Method::EndsWith => TextTest::EndsWith(part.into()),
        Method::Contains | Method::Matches => TextTest::Contains(Needle::new(part)),
    }
}

/// The number as a float, when comparing a float column with it is as good as comparing the exact number: widening an
/// integer field to a float never carries it across a number below 2^53.
fn exact_float(constant: &Constant) -> Option<f64> {
    let float = match constant {
        Constant::Int(integer) => *integer as f64,
        Constant::UInt(integer) => *integer as f64,
        Constant::Float(float) => *float,
        _ => return None,
    };
    (float.abs() < EXACT_FLOAT_LIMIT).then_some(float)
}

/// The items, sorted for the search, when they are all text literals. They are sorted by insertion, since they are few
/// and a faster sort is 5 kB of code.
fn texts(items: &[Expr]) -> Option<Box<[Box<str>]>> {
    let mut texts: Vec<Box<str>> = Vec::with_capacity(items.len());
    for item in items {
        let Node::Literal(Constant::Text(text)) = &item.node else { return None };
        let (Ok(place) | Err(place)) = texts.binary_search_by(|other| by_length(other, text));
        texts.insert(place, text.clone());
    }
    Some(texts.into())
}

/// The items, when they are all number literals that a float column can be compared with.
fn floats(items: &[Expr]) -> Option<Box<[f64]>> {
    let mut floats = Vec::with_capacity(items.len());
    for item in items {
        let Node::Literal(constant) = &item.node else { return None };
        floats.push(exact_float(constant)?);
    }
    Some(floats.into())
}
