//! A JSON reader for configs.
//!
//! Small, because it is in every component with a config: serde with `serde_json` and a wrapper that tracks paths took about
//! 100 kB of one, five times as much. It is not on the data path. Numbers stay tokens, so that a plugin that has no float in
//! its config has no float parser either.

use super::value::Value;
use crate::words::push;

/// Objects and arrays inside each other; as many as the host allows.
const DEPTH_MAX: usize = 128;

/// Reads one value and nothing after it.
///
/// # Errors
/// A sentence with the byte at which the text is no JSON.
pub(crate) fn parse(text: &str) -> Result<Value<'_>, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() { Err(parser.error("something follows the value")) } else { Ok(value) }
}

struct Parser<'j> {
    text: &'j str,
    /// Always on a character's first byte: only ASCII is stepped over, and text up to a quote or backslash.
    at: usize,
}

impl<'j> Parser<'j> {
    fn value(&mut self, depth: usize) -> Result<Value<'j>, String> {
        if depth > DEPTH_MAX {
            return Err(self.error("it is nested too deeply"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.word("true") => Ok(Value::Boolean(true)),
            _ if self.word("false") => Ok(Value::Boolean(false)),
            _ if self.word("null") => Ok(Value::Null),
            _ => Err(self.error("a value was expected")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'j>, String> {
        let start = self.at;
        let mut members: Vec<(String, Value<'j>)> = Vec::new();
        let mut is_open = self.opens(b'}');
        while is_open {
            self.space();
            let key = self.string()?;
            self.space();
            self.expect(b':', "a colon was expected")?;
            if members.iter().any(|(known, _)| *known == key) {
                return Err(format!("`{key}` is there twice"));
            }
            members.push((key, self.value(depth + 1)?));
            is_open = self.goes_on(b'}', "a comma or brace was expected")?;
        }
        Ok(Value::Object { members, token: self.since(start) })
    }

    fn array(&mut self, depth: usize) -> Result<Value<'j>, String> {
        let start = self.at;
        let mut elements = Vec::new();
        let mut is_open = self.opens(b']');
        while is_open {
            elements.push(self.value(depth + 1)?);
            is_open = self.goes_on(b']', "a comma or bracket was expected")?;
        }
        Ok(Value::Array { elements, token: self.since(start) })
    }

    /// Whether what opens here has anything in it before it is closed.
    fn opens(&mut self, end: u8) -> bool {
        self.at += 1;
        self.space();
        !self.step(end)
    }

    /// Whether there is more of it.
    #[inline(never)]
    fn goes_on(&mut self, end: u8, why: &str) -> Result<bool, String> {
        self.space();
        if self.step(end) {
            return Ok(false);
        }
        self.expect(b',', why)?;
        Ok(true)
    }

    fn number(&mut self) -> Result<Value<'j>, String> {
        let start = self.at;
        self.step(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        let mut is_number = digits == 1 || (digits > 1 && !leading_zero);
        if self.step(b'.') {
            is_number &= self.digits() > 0;
        }
        if self.step(b'e') || self.step(b'E') {
            let _signed = self.step(b'+') || self.step(b'-');
            is_number &= self.digits() > 0;
        }
        if is_number { Ok(Value::Number(self.since(start))) } else { Err(self.error("a number is malformed")) }
    }

    #[inline(never)]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect(b'"', "text was expected")?;
        let mut string = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..0x20)) {
                self.at += 1;
            }
            push(&mut string, self.since(start));
            if self.step(b'"') {
                return Ok(string);
            }
            if self.step(b'\\') {
                push(&mut string, self.escape()?.encode_utf8(&mut [0; 4]));
            } else if self.peek().is_some() {
                return Err(self.error("a control character is not escaped"));
            } else {
                return Err(self.error("text does not end"));
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let escaped = self.peek();
        self.at += usize::from(escaped.is_some_and(|byte| byte.is_ascii()));
        Ok(match escaped {
            Some(char @ (b'"' | b'\\' | b'/')) => char::from(char),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.error("an escape is unknown")),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, String> {
        let mut code = self.four_hex()?;
        if (0xd800..0xdc00).contains(&code) && self.word("\\u") {
            let low = self.four_hex()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(code).ok_or_else(|| self.error("a surrogate stands alone"))
    }

    #[inline(never)]
    fn four_hex(&mut self) -> Result<u32, String> {
        let start = self.at;
        let mut code = 0;
        while let Some(digit) = self.hex_digit()
            && self.at < start + 4
        {
            code = 16 * code + digit;
            self.at += 1;
        }
        if self.at == start + 4 { Ok(code) } else { Err(self.error("four hexadecimal digits were expected")) }
    }

    #[inline(never)]
    fn hex_digit(&self) -> Option<u32> {
        self.peek().and_then(|byte| char::from(byte).to_digit(16))
    }

    #[inline(never)]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// What was read from `start` on. (A slice that may panic tells of characters, and brings Unicode's tables with it.)
    #[inline(never)]
    fn since(&self, start: usize) -> &'j str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline(never)]
    fn step(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline(never)]
    fn word(&mut self, word: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn expect(&mut self, byte: u8, why: &str) -> Result<(), String> {
        if self.step(byte) { Ok(()) } else { Err(self.error(why)) }
    }

    #[cold]
    #[inline(never)]
    fn error(&self, why: &str) -> String {
        format!("the config is not JSON at byte {}: {why}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        match parse(json) {
            Ok(Value::Text(text)) => text,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn values_keep_their_tokens() {
        let Ok(Value::Object { members, token }) = parse(r#" {"a": [1, {"b" : null}], "c":-1.5e+3, "d":true} "#) else {
            panic!("an object")
        };
        assert_eq!(token, r#"{"a": [1, {"b" : null}], "c":-1.5e+3, "d":true}"#);
        let Value::Array { elements, token } = &members[0].1 else { panic!("an array") };
        assert_eq!((elements.len(), *token), (2, r#"[1, {"b" : null}]"#));
        assert_eq!(members[1], ("c".to_owned(), Value::Number("-1.5e+3")));
        assert_eq!(members[2], ("d".to_owned(), Value::Boolean(true)));
        assert!(matches!(parse("{}"), Ok(Value::Object { members, .. }) if members.is_empty()));
        assert!(matches!(parse("[ ]"), Ok(Value::Array { elements, .. }) if elements.is_empty()));
    }

    #[test]
    fn text_is_unescaped() {
        assert_eq!(text(r#""a\"\\\/\b\f\n\r\tä\u00e4\ud83c\udf89""#), "a\"\\/\u{8}\u{c}\n\r\tää🎉");
    }

    #[test]
    fn what_is_no_json_is_an_error_and_no_panic() {
        for wrong in [
            "",
            "{",
            "[",
            "\"",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "{} {}",
            "tru",
            "nul",
            "01",
            "-",
            "1.",
            "1e",
            "+1",
            "'a'",
            "{a:1}",
            "\"\\x\"",
            "\"\\ä\"",
            "\"\\u12\"",
            "\"\\u12ä\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\n\"",
            "ä",
            r#"{"a":1,"a":2}"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nesting_is_bounded_at_the_limit_and_not_before() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 1)).unwrap_err().contains("nested too deeply"));
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
