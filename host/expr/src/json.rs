//! Raw JSON tokens, read in place.
//!
//! A column of kind json holds one token of a payload that the host's scanner has checked, so this reader does not
//! check it again; on anything that is no JSON after all it answers [`EvalError::Malformed`]. It never recurses.

use crate::literal::natural;
use crate::{EvalError, Value, decimal};
use std::borrow::Cow;

/// The value of a token, as CEL sees JSON: a number without fraction and exponent is an int, or a uint beyond an
/// int's range, or a double beyond that; every other number is a double.
#[inline(never)] // wherever a term is evaluated, and it is large
pub(crate) fn value(token: &str) -> Result<Value<'_>, EvalError> {
    match token.as_bytes().first() {
        Some(b'"') => text(token),
        Some(b'{' | b'[') => Ok(Value::Json(token)),
        Some(b'-' | b'0'..=b'9') => number(token),
        _ => match token {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => Err(EvalError::Malformed),
        },
    }
}

fn text(token: &str) -> Result<Value<'_>, EvalError> {
    let inner = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(EvalError::Malformed)?;
    Ok(if inner.as_bytes().contains(&b'\\') { Value::Escaped(inner) } else { Value::Text(inner) })
}

fn number(token: &str) -> Result<Value<'_>, EvalError> {
    let digits = token.strip_prefix('-').unwrap_or(token);
    let negative = digits.len() < token.len();
    match natural(digits, 10) {
        Some(magnitude) if negative && magnitude <= 1 << 63 => Ok(Value::Int((magnitude as i64).wrapping_neg())),
        Some(magnitude) if !negative => Ok(i64::try_from(magnitude).map_or(Value::UInt(magnitude), Value::Int)),
        _ => decimal::parse(token).map(Value::Float).ok_or(EvalError::Malformed),
    }
}

/// Takes the escapes out of the inside of a JSON string.
pub(crate) fn unescape(inner: &str) -> Result<Cow<'_, str>, EvalError> {
    let Some(first) = inner.find('\\') else { return Ok(Cow::Borrowed(inner)) };
    let mut text = String::with_capacity(inner.len());
    let (plain, mut rest) = inner.split_at_checked(first).unwrap_or_default();
    text.push_str(plain);
    while let Some(escape) = rest.strip_prefix('\\') {
        let (character, after) = escaped_character(escape)?;
        text.push(character);
        // Not `find`, which makes ready for longer ways than there are between escapes.
        let next = after.bytes().position(|byte| byte == b'\\').unwrap_or(after.len());
        let (plain, tail) = after.split_at_checked(next).unwrap_or_default();
        text.push_str(plain);
        rest = tail;
    }
    Ok(Cow::Owned(text))
}

/// The characters of what stands between the quotes of a JSON string, without its escapes. They end before what is no JSON.
pub fn unescaped(inner: &str) -> impl Iterator<Item = char> {
    let mut rest = inner;
    std::iter::from_fn(move || {
        let mut characters = rest.chars();
        let (character, after) = (characters.next()?, characters.as_str());
        let (character, after) = if character == '\\' { escaped_character(after).ok()? } else { (character, after) };
        rest = after;
        Some(character)
    })
}

/// The character that an escape stands for, and what follows; `escape` begins after the backslash.
fn escaped_character(escape: &str) -> Result<(char, &str), EvalError> {
    let mut characters = escape.chars();
    let kind = characters.next().ok_or(EvalError::Malformed)?;
    let after = characters.as_str();
    let character = match kind {
        '"' | '\\' | '/' => kind,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return utf16_escape(after),
        _ => return Err(EvalError::Malformed),
    };
    Ok((character, after))
}

fn utf16_escape(digits: &str) -> Result<(char, &str), EvalError> {
    let (high, after) = utf16_unit(digits)?;
    if let Some(character) = char::from_u32(high) {
        return Ok((character, after));
    }
    let (low, after_pair) = after.strip_prefix("\\u").ok_or(EvalError::Malformed).and_then(utf16_unit)?;
    let is_pair = (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low);
    let code = is_pair.then(|| 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
    let character = code.and_then(char::from_u32).ok_or(EvalError::Malformed)?;
    Ok((character, after_pair))
}

fn utf16_unit(digits: &str) -> Result<(u32, &str), EvalError> {
    let (unit, after) = digits.split_at_checked(4).ok_or(EvalError::Malformed)?;
    let unit = natural(unit, 16).ok_or(EvalError::Malformed)?;
    Ok((unit as u32, after)) // four digits
}

/// The tokens of an array's elements, or of an object's keys and values in turn.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    token: &'a str,
    /// Where the next element begins, white space before it included.
    next: usize,
}

impl<'a> Tokens<'a> {
    /// `token` is an array or an object.
    pub(crate) fn new(token: &'a str) -> Self {
        Self { token, next: 1 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<&'a str, EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.token.as_bytes();
        // Separators are skipped without looking which ones: the scanner has checked that.
        while matches!(bytes.get(self.next), Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')) {
            self.next += 1;
        }
        let start = self.next;
        match bytes.get(start) {
            Some(b']' | b'}') if start + 1 == bytes.len() => return None,
            Some(_) => {}
            None if start > bytes.len() => return None, // after an error
            None => return Some(self.fail()),
        }
        match token_end(bytes, start).and_then(|end| Some((end, self.token.get(start..end)?))) {
            Some((end, element)) => {
                self.next = end;
                Some(Ok(element))
            }
            None => Some(self.fail()),
        }
    }
}

impl<'a> Tokens<'a> {
    fn fail(&mut self) -> Result<&'a str, EvalError> {
        self.next = self.token.len() + 1;
        Err(EvalError::Malformed)
    }
}

/// One past the end of the token that begins at `start`; `None` when it has no end.
fn token_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => string_end(bytes, start),
        b'{' | b'[' => nested_end(bytes, start),
        _ => {
            let is_end = |byte: &u8| matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            let length = bytes[start..].iter().position(is_end)?;
            (length > 0).then_some(start + length)
        }
    }
}

fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn nested_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(token: &str) -> Result<Vec<&str>, EvalError> {
        Tokens::new(token).collect()
    }

    #[test]
    fn an_array_yields_its_elements_whole() {
        let token = r#"[1, "a,]\"", {"k": [1, 2]} ,[], true ]"#;
        assert_eq!(tokens(token), Ok(vec!["1", r#""a,]\"""#, r#"{"k": [1, 2]}"#, "[]", "true"]));
        assert_eq!(tokens("[ ]"), Ok(vec![]));
    }

    #[test]
    fn an_object_yields_keys_and_values_in_turn() {
        assert_eq!(tokens(r#"{"a" : 1,"b":{}}"#), Ok(vec!["\"a\"", "1", "\"b\"", "{}"]));
    }

    #[test]
    fn a_broken_token_is_an_error_once() {
        for broken in ["[1", "[", "[\"a", "[[1]", "{\"a\":", "[\"\\"] {
            assert_eq!(tokens(broken), Err(EvalError::Malformed), "{broken}");
            assert!(Tokens::new(broken).count() < 4, "{broken}");
        }
    }

    #[test]
    fn numbers_get_the_narrowest_exact_type() {
        assert_eq!(value("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        assert_eq!(value("9223372036854775808"), Ok(Value::UInt(1 << 63)));
        assert_eq!(value("18446744073709551616"), Ok(Value::Float(18_446_744_073_709_551_616.0)));
        assert_eq!(value("9223372036854775807"), Ok(Value::Int(i64::MAX)));
        assert_eq!(value("-9223372036854775809"), Ok(Value::Float(-9_223_372_036_854_775_808.0)));
        assert_eq!(value("-0"), Ok(Value::Int(0)));
        assert_eq!(value("-"), Err(EvalError::Malformed));
        assert_eq!(value("1.0"), Ok(Value::Float(1.0)));
        assert_eq!(value("1e2"), Ok(Value::Float(100.0)));
    }

    #[test]
    fn escapes_are_taken_out_and_lone_surrogates_refused() {
        assert_eq!(unescape(r#"a\n\"\/\u00e9\ud83d\ude00z"#).as_deref(), Ok("a\n\"/é😀z"));
        for lone in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\u12", r"\u+123", r"\q", "\\"] {
            assert_eq!(unescape(lone), Err(EvalError::Malformed), "{lone}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(token in ".*", inner in r#"[\\u0-9a-f"nd]*"#) {
            let _ = value(&token);
            let _ = Tokens::new(&token).count();
            let _ = unescape(&inner);
        }

        #[test]
        fn unescaping_agrees_with_serde_json(text in any::<String>()) {
            let token = serde_json::to_string(&text).expect("text is JSON");
            let inner = &token[1..token.len() - 1];
            let whole = unescape(inner);
            prop_assert_eq!(whole.as_deref(), Ok(text.as_str()));
            prop_assert_eq!(unescaped(inner).collect::<String>(), text.as_str());
        }

        #[test]
        fn elements_agree_with_serde_json(numbers in prop::collection::vec(any::<i64>(), 0..8), text in any::<String>()) {
            let array = serde_json::json!([numbers, text, {"k": numbers}, null]);
            let token = serde_json::to_string_pretty(&array).expect("is JSON");
            let elements: Vec<serde_json::Value> =
                Tokens::new(&token).map(|t| serde_json::from_str(t.expect("valid")).expect("valid")).collect();
            prop_assert_eq!(serde_json::Value::Array(elements), array);
        }
    }
}
