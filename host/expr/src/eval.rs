//! Evaluation: one walk over a compiled tree per event. The tree's height is bounded, and so is the recursion.

use crate::ast::Method;
use crate::needle::Needle;
use crate::program::{Order, Slot, Term, Test, TextTest};
use crate::{EvalError, Fields, State, Value, numbers, value};
use std::cmp::Ordering;

/// What a test says. In one byte, so that it is returned in a register, as a `Result<bool, _>` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    Error(EvalError),
}

impl From<bool> for Answer {
    #[inline(always)]
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl From<Answer> for Result<bool, EvalError> {
    #[inline(always)]
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::No => Ok(false),
            Answer::Yes => Ok(true),
            Answer::Error(error) => Err(error),
        }
    }
}

impl From<Result<bool, EvalError>> for Answer {
    #[inline(always)]
    fn from(result: Result<bool, EvalError>) -> Self {
        match result {
            Ok(holds) => holds.into(),
            Err(error) => Self::Error(error),
        }
    }
}

impl Term {
    /// The term as a condition; a value that is no boolean is an error.
    #[inline]
    pub(crate) fn test(&self, fields: &impl Fields) -> Answer {
        if let Self::Test(test) = self {
            return test.test(fields);
        }
        match self.evaluate(fields) {
            Ok(Value::Bool(holds)) => holds.into(),
            Ok(_) => Answer::Error(EvalError::NoSuchOverload),
            Err(error) => Answer::Error(error),
        }
    }

    /// Whether the answer of [`Term::test`] is a yes.
    #[inline(always)]
    pub(crate) fn holds(&self, fields: &impl Fields) -> bool {
        if let Self::Test(test) = self { test.holds(fields) } else { self.test(fields) == Answer::Yes }
    }

    pub(crate) fn evaluate<'v>(&'v self, fields: &'v impl Fields) -> Result<Value<'v>, EvalError> {
        match self {
            Self::Constant(constant) => Ok(constant.value()),
            Self::Json(slot) => match fields.json(slot.index()) {
                Some(token) if is_too_long(token, fields) => Err(too_long(fields)),
                Some(token) => Value::from_json(token),
                None if fields.state(slot.index()) == State::Null => Ok(Value::Null),
                None => Err(no_operand(fields, *slot)),
            },
            Self::Text(slot) => operand(fields, *slot, fields.text(slot.index())).map(Value::Text),
            Self::Test(test) => Result::from(test.test(fields)).map(Value::Bool),
            Self::Negate(term) => numbers::negate(term.evaluate(fields)?),
            Self::Arithmetic(operation, terms) => {
                numbers::apply(*operation, terms[0].evaluate(fields)?, terms[1].evaluate(fields)?)
            }
            Self::Choose(parts) => {
                let (condition, [yes, no]) = &**parts;
                if Result::from(condition.test(fields))? { yes.evaluate(fields) } else { no.evaluate(fields) }
            }
            Self::Size(term) => {
                let size = value::size(term.evaluate(fields)?)?;
                i64::try_from(size).map(Value::Int).map_err(|_| EvalError::Overflow)
            }
        }
    }
}

impl Test {
    /// Whether the answer of [`Test::test`] is a yes. For that a no need not be told from an error: an `&&` holds if all of its
    /// operands do, an `||` if one does.
    #[inline(always)]
    fn holds(&self, fields: &impl Fields) -> bool {
        let (tests, decisive) = match self {
            Self::And(tests) => (&**tests, false),
            Self::Or(tests) => (&**tests, true),
            test => (std::slice::from_ref(test), false),
        };
        for test in tests {
            if test.operand_holds(fields) == decisive {
                return decisive;
            }
        }
        !decisive
    }

    /// As [`Test::holds`], for the comparisons that rules mostly consist of without a call.
    #[inline(always)]
    fn operand_holds(&self, fields: &impl Fields) -> bool {
        match self {
            Self::Flag(slot) => fields.boolean(slot.index()) == Some(true),
            Self::FlagEquals(slot, flag) => fields.boolean(slot.index()) == Some(*flag),
            Self::TextEquals(slot, text) => fields.text(slot.index()).is_some_and(|found| *found == **text),
            Self::FloatEquals(slot, number) => fields.float(slot.index()) == Some(*number),
            Self::FloatOrder(slot, order, number) => {
                fields.float(slot.index()).is_some_and(|found| order.of_floats(found, *number))
            }
            test => test.test(fields) == Answer::Yes,
        }
    }

    #[inline(never)]
    pub(crate) fn test(&self, fields: &impl Fields) -> Answer {
        match self {
            Self::Always(holds) => (*holds).into(),
            Self::And(tests) => first(tests, fields, Answer::No, Answer::Yes),
            Self::Or(tests) => first(tests, fields, Answer::Yes, Answer::No),
            Self::Not(test) => match test.test(fields) {
                Answer::No => Answer::Yes,
                Answer::Yes => Answer::No,
                error => error,
            },
            Self::Choose(tests) => match tests[0].test(fields) {
                Answer::Yes => tests[1].test(fields),
                Answer::No => tests[2].test(fields),
                error => error,
            },
            Self::Has(slot) => (fields.state(slot.index()) != State::Absent).into(),
            Self::IsNull(slot) => match fields.state(slot.index()) {
                State::Absent => Answer::Error(EvalError::NoSuchField),
                state => (state == State::Null).into(),
            },
            Self::Flag(slot) => operator(fields, *slot, fields.boolean(slot.index()), |found| found),
            Self::FlagEquals(slot, flag) => {
                equality(fields, *slot, fields.boolean(slot.index()), |found| found == *flag)
            }
            Self::TextEquals(slot, text) => {
                equality(fields, *slot, fields.text(slot.index()), |found| *found == **text)
            }
            Self::TextIn(slot, texts) => equality(fields, *slot, fields.text(slot.index()), |found| find(texts, found)),
            Self::TextOrder(slot, order, text) => {
                operator(fields, *slot, fields.text(slot.index()), |found| order.holds(Some(found.cmp(text))))
            }
            Self::TextMethod(slot, test) => {
                operator(fields, *slot, fields.text(slot.index()), |found| test.test(found, fields))
            }
            Self::FloatEquals(slot, number) => {
                equality(fields, *slot, fields.float(slot.index()), |found| found == *number)
            }
            Self::FloatIn(slot, numbers) => {
                equality(fields, *slot, fields.float(slot.index()), |found| numbers.contains(&found))
            }
            Self::FloatOrder(slot, order, number) => {
                operator(fields, *slot, fields.float(slot.index()), |found| order.of_floats(found, *number))
            }
            general => general.test_terms(fields).into(),
        }
    }

    /// The tests on arbitrary values, out of the way of the common ones.
    #[inline(never)]
    fn test_terms(&self, fields: &impl Fields) -> Result<bool, EvalError> {
        match self {
            Self::Equals(terms) => value::equal(terms[0].evaluate(fields)?, terms[1].evaluate(fields)?),
            Self::Ordered(order, terms) => {
                value::order(terms[0].evaluate(fields)?, terms[1].evaluate(fields)?).map(|found| order.holds(found))
            }
            Self::In(terms) => {
                let element = terms[0].evaluate(fields)?;
                value::contains(terms[1].evaluate(fields)?, element)
            }
            Self::InItems(term, items) => in_items(term.evaluate(fields)?, items, fields),
            Self::Method(method, terms) => {
                let text = terms[0].evaluate(fields)?.text()?;
                let part = terms[1].evaluate(fields)?.text()?;
                match method {
                    Method::StartsWith => Ok(text.as_bytes().starts_with(part.as_bytes())),
                    Method::EndsWith => Ok(text.as_bytes().ends_with(part.as_bytes())),
                    Method::Contains | Method::Matches => {
                        told(Needle::new(&part).find(&text, bytes_max(fields)), fields)
                    }
                }
            }
            Self::Matches(term, pattern) => {
                told(pattern.find(&term.evaluate(fields)?.text()?, bytes_max(fields)), fields)
            }
            _ => unreachable!("every other test is answered by Test::test"),
        }
    }
}

/// CEL's `&&` (decided by a no) and `||` (decided by a yes): an operand that decides wins over errors on either side.
#[inline]
fn first(tests: &[Test], fields: &impl Fields, decisive: Answer, otherwise: Answer) -> Answer {
    let mut answer = otherwise;
    for test in tests {
        let found = test.test(fields);
        if found == decisive {
            return decisive;
        }
        if answer == otherwise {
            answer = found; // the first error is the one that is told
        }
    }
    answer
}

/// The value of a column for an operator that needs one.
#[inline(always)]
fn operand<T>(fields: &impl Fields, slot: Slot, value: Option<T>) -> Result<T, EvalError> {
    match value {
        Some(value) => Ok(value),
        None => Err(no_operand(fields, slot)),
    }
}

/// An operator that needs a value of the column's kind.
#[inline(always)]
fn operator<T, A: Into<Answer>>(
    fields: &impl Fields,
    slot: Slot,
    value: Option<T>,
    holds: impl FnOnce(T) -> A,
) -> Answer {
    match value {
        Some(value) => holds(value).into(),
        None => Answer::Error(no_operand(fields, slot)),
    }
}

#[cold]
fn no_operand(fields: &impl Fields, slot: Slot) -> EvalError {
    match fields.state(slot.index()) {
        State::Absent => EvalError::NoSuchField,
        _ => EvalError::NoSuchOverload,
    }
}

/// Equality, which holds for no value of another type and is an error only when there is none.
#[inline(always)]
fn equality<T>(fields: &impl Fields, slot: Slot, value: Option<T>, holds: impl FnOnce(T) -> bool) -> Answer {
    match value {
        Some(value) => holds(value).into(),
        None if fields.state(slot.index()) == State::Absent => Answer::Error(EvalError::NoSuchField),
        None => Answer::No,
    }
}

/// The order of the texts in [`Test::TextIn`]: most texts that are not in the list are told apart by their length.
pub(crate) fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

fn find(texts: &[Box<str>], text: &str) -> bool {
    texts.binary_search_by(|candidate| by_length(candidate, text)).is_ok()
}

/// A list literal is built before it is looked into, so an item that has no value is an error even after a match.
fn in_items(element: Value<'_>, items: &[Term], fields: &impl Fields) -> Result<bool, EvalError> {
    let mut found = false;
    for item in items {
        found |= value::equal(item.evaluate(fields)?, element)?;
    }
    Ok(found)
}

/// How much of a field is looked at.
#[inline(always)]
fn bytes_max<F: Fields>(_: &F) -> usize {
    F::BYTES_MAX
}

#[inline(always)]
fn is_too_long(token: &str, fields: &impl Fields) -> bool {
    token.len() > bytes_max(fields)
}

/// What was found in a text; `None`: its rest could tell.
#[inline(always)]
fn told(found: Option<bool>, fields: &impl Fields) -> Result<bool, EvalError> {
    found.ok_or_else(|| too_long(fields))
}

#[cold]
fn too_long(fields: &impl Fields) -> EvalError {
    fields.too_long();
    EvalError::TooLong
}

impl TextTest {
    #[inline(always)]
    fn test(&self, text: &str, fields: &impl Fields) -> Answer {
        match self {
            Self::Contains(part) => told(part.find(text, bytes_max(fields)), fields).into(),
            Self::StartsWith(part) => text.starts_with(&**part).into(),
            Self::EndsWith(part) => text.ends_with(&**part).into(),
            Self::Matches(pattern) => told(pattern.find(text, bytes_max(fields)), fields).into(),
        }
    }
}

impl Order {
    #[inline(always)]
    fn of_floats(self, found: f64, number: f64) -> bool {
        match self {
            Self::Less => found < number,
            Self::LessOrEqual => found <= number,
            Self::Greater => found > number,
            Self::GreaterOrEqual => found >= number,
        }
    }

    /// Whether the ordering holds for what was found; nothing holds for NaN.
    fn holds(self, found: Option<Ordering>) -> bool {
        match self {
            Self::Less => found.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => found.is_some_and(Ordering::is_le),
            Self::Greater => found.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => found.is_some_and(Ordering::is_ge),
        }
    }
}
