//! CEL's numbers: exact comparison between integers and floats, and arithmetic that refuses to overflow.

use crate::{EvalError, Value};
use std::cmp::Ordering;

/// Integers below this magnitude are floats without rounding, and rounding a larger one never brings it below.
pub(crate) const EXACT_FLOAT_LIMIT: f64 = 9_007_199_254_740_992.0; // 2^53

/// The four operations and the remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Compares two numbers by their mathematical value; `None` when one is NaN or no number.
pub(crate) fn compare(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    use Value::{Float, Int, UInt};
    match (left, right) {
        (Int(a), Int(b)) => Some(a.cmp(&b)),
        (UInt(a), UInt(b)) => Some(a.cmp(&b)),
        (Int(a), UInt(b)) => Some(int_with_uint(a, b)),
        (UInt(a), Int(b)) => Some(int_with_uint(b, a).reverse()),
        (Float(a), Float(b)) => a.partial_cmp(&b),
        (Int(a), Float(b)) => int_with_float(a, b),
        (UInt(a), Float(b)) => uint_with_float(a, b),
        (Float(a), Int(b)) => int_with_float(b, a).map(Ordering::reverse),
        (Float(a), UInt(b)) => uint_with_float(b, a).map(Ordering::reverse),
        _ => None,
    }
}

fn int_with_uint(int: i64, uint: u64) -> Ordering {
    u64::try_from(int).map_or(Ordering::Less, |int| int.cmp(&uint))
}

fn int_with_float(int: i64, float: f64) -> Option<Ordering> {
    match u64::try_from(int) {
        Ok(uint) => uint_with_float(uint, float),
        Err(_) => uint_with_float(int.unsigned_abs(), -float).map(Ordering::reverse),
    }
}

fn uint_with_float(uint: u64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        None
    } else if float < 0.0 {
        Some(Ordering::Greater)
    } else if float >= 18_446_744_073_709_551_616.0 {
        Some(Ordering::Less) // 2^64
    } else {
        let whole = float as u64;
        Some(uint.cmp(&whole).then(if whole as f64 == float { Ordering::Equal } else { Ordering::Less }))
    }
}

/// Applies an operation to two numbers of one type.
pub(crate) fn apply<'v>(operation: Arithmetic, left: Value<'_>, right: Value<'_>) -> Result<Value<'v>, EvalError> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => integers(operation, a, b).map(Value::Int),
        (Value::UInt(a), Value::UInt(b)) => unsigned(operation, a, b).map(Value::UInt),
        (Value::Float(a), Value::Float(b)) => floats(operation, a, b).map(Value::Float),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn integers(operation: Arithmetic, a: i64, b: i64) -> Result<i64, EvalError> {
    let result = match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(EvalError::DivisionByZero),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
    };
    result.ok_or(EvalError::Overflow)
}

fn unsigned(operation: Arithmetic, a: u64, b: u64) -> Result<u64, EvalError> {
    let result = match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide => return a.checked_div(b).ok_or(EvalError::DivisionByZero),
        Arithmetic::Remainder => return a.checked_rem(b).ok_or(EvalError::DivisionByZero),
    };
    result.ok_or(EvalError::Overflow)
}

fn floats(operation: Arithmetic, a: f64, b: f64) -> Result<f64, EvalError> {
    match operation {
        Arithmetic::Add => Ok(a + b),
        Arithmetic::Subtract => Ok(a - b),
        Arithmetic::Multiply => Ok(a * b),
        Arithmetic::Divide => Ok(a / b),
        Arithmetic::Remainder => Err(EvalError::NoSuchOverload), // CEL has it for integers only
    }
}

/// The negative of a signed number.
pub(crate) fn negate<'v>(value: Value<'_>) -> Result<Value<'v>, EvalError> {
    match value {
        Value::Int(integer) => integer.checked_neg().map(Value::Int).ok_or(EvalError::Overflow),
        Value::Float(float) => Ok(Value::Float(-float)),
        _ => Err(EvalError::NoSuchOverload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Value::{Float, Int, UInt};

    #[test]
    fn integers_and_floats_compare_by_exact_value() {
        let cases = [
            (Int(9_007_199_254_740_993), Float(9_007_199_254_740_992.0), Ordering::Greater),
            (Int(i64::MAX), Float(9_223_372_036_854_775_808.0), Ordering::Less),
            (Int(i64::MIN), Float(-9_223_372_036_854_775_808.0), Ordering::Equal),
            (UInt(u64::MAX), Float(18_446_744_073_709_551_616.0), Ordering::Less),
            (Int(-1), Float(-1.5), Ordering::Greater),
            (Int(1), Float(1.5), Ordering::Less),
            (Int(0), Float(-0.0), Ordering::Equal),
            (Int(0), Float(f64::NEG_INFINITY), Ordering::Greater),
            (UInt(3), Float(f64::INFINITY), Ordering::Less),
            (Int(-1), UInt(u64::MAX), Ordering::Less),
        ];
        for (left, right, expected) in cases {
            assert_eq!(compare(left, right), Some(expected), "{left:?} with {right:?}");
            assert_eq!(compare(right, left), Some(expected.reverse()), "{right:?} with {left:?}");
        }
    }

    #[test]
    fn nan_compares_with_nothing() {
        assert_eq!(compare(Float(f64::NAN), Float(f64::NAN)), None);
        assert_eq!(compare(Int(0), Float(f64::NAN)), None);
    }
}
