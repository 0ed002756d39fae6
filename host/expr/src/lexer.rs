//! Source text into tokens, by CEL's lexical rules.

use crate::error::Failure;
use crate::literal::{self, Quotes};
use crate::{Problem, parts};

/// A token and where it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lexeme<'s> {
    pub(crate) at: usize,
    pub(crate) token: Token<'s>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'s> {
    End,
    /// A word that may be a keyword.
    Word(&'s str),
    /// A name in backquotes: never a keyword.
    Quoted(&'s str),
    /// The magnitude of an integer literal; its sign is a token of its own.
    Int(u64),
    UInt(u64),
    Float(f64),
    Text(Text<'s>),
    Symbol(Symbol),
}

/// A text literal: what stands between its quotes, and whether that is to be taken as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'s> {
    body: &'s str,
    raw: bool,
}

impl Text<'_> {
    /// The text that the literal stands for.
    pub(crate) fn value(self) -> Result<String, Problem> {
        if self.raw { Ok(self.body.to_owned()) } else { literal::unescape(self.body) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Dot,
    Comma,
    Question,
    Colon,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Not,
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Symbols by their spelling, longer ones first.
const SYMBOLS: [(&str, Symbol); 24] = [
    ("&&", Symbol::And),
    ("||", Symbol::Or),
    ("==", Symbol::Equal),
    ("!=", Symbol::NotEqual),
    ("<=", Symbol::LessOrEqual),
    (">=", Symbol::GreaterOrEqual),
    ("(", Symbol::OpenParen),
    (")", Symbol::CloseParen),
    ("[", Symbol::OpenBracket),
    ("]", Symbol::CloseBracket),
    ("{", Symbol::OpenBrace),
    ("}", Symbol::CloseBrace),
    (".", Symbol::Dot),
    (",", Symbol::Comma),
    ("?", Symbol::Question),
    (":", Symbol::Colon),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
    ("*", Symbol::Star),
    ("/", Symbol::Slash),
    ("%", Symbol::Percent),
    ("!", Symbol::Not),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
];

type Read<'s> = Result<Token<'s>, Box<Failure>>;

/// Reads one token at a time.
#[derive(Debug)]
pub(crate) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The next token, [`Token::End`] for ever after the last one.
    pub(crate) fn next(&mut self) -> Result<Lexeme<'s>, Box<Failure>> {
        self.skip_blanks();
        let at = self.at;
        Ok(Lexeme { at, token: self.token()? })
    }

    fn token(&mut self) -> Read<'s> {
        match self.bytes() {
            [] => Ok(Token::End),
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => self.number(),
            [b'"' | b'\'', ..] => self.text(0, false),
            [b'`', ..] => self.quoted_name(),
            [b'_' | b'a'..=b'z' | b'A'..=b'Z', ..] => self.word(),
            _ => self.symbol(),
        }
    }

    fn rest(&self) -> &'s str {
        parts::from(self.source, self.at)
    }

    fn bytes(&self) -> &'s [u8] {
        self.source.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let mut in_comment = false;
        loop {
            match self.bytes() {
                [] => return,
                [b'/', b'/', ..] => in_comment = true,
                [b'\n', ..] => in_comment = false,
                [b' ' | b'\t' | b'\x0c' | b'\r', ..] => {}
                _ if in_comment => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn symbol(&mut self) -> Read<'s> {
        let rest = self.rest();
        for (spelling, symbol) in &SYMBOLS {
            if rest.starts_with(spelling) {
                self.at += spelling.len();
                return Ok(Token::Symbol(*symbol));
            }
        }
        let found = rest.chars().next().unwrap_or_default();
        let advice = match found {
            '=' => "write `==` to compare",
            '&' => "write `&&` for and",
            '|' => "write `||` for or",
            '“' | '”' | '‘' | '’' | '„' => "write straight quotes around text",
            _ if !found.is_ascii() => "put names with such letters in backquotes, and text in quotes",
            _ => "put text in quotes",
        };
        Err(self.failure(Problem::NoOperator { found, advice }))
    }

    fn word(&mut self) -> Read<'s> {
        match self.bytes() {
            [b'r' | b'R', b'"' | b'\'', ..] => return self.text(1, true),
            [b'b' | b'B', b'"' | b'\'', ..] | [b'b' | b'B', b'r' | b'R', b'"' | b'\'', ..] => {
                let (what, instead) = ("bytes are", "write a text, without the b");
                return Err(self.failure(Problem::NotSupported { what, instead }));
            }
            _ => {}
        }
        let rest = self.rest();
        let word = parts::until(rest, word_length(rest));
        self.at += word.len();
        Ok(Token::Word(word))
    }

    /// A name between backquotes. CEL allows letters, digits and a few signs there; this takes any printable text, since
    /// JSON keys are any text.
    fn quoted_name(&mut self) -> Read<'s> {
        let closed = parts::from(self.rest(), 1).split_once('`').filter(|(name, _)| !name.contains('\n'));
        let Some((name, _)) = closed else { return Err(self.failure(Problem::UnclosedText("backquote"))) };
        if name.is_empty() {
            let (expected, found) = ("a name between the backquotes", "nothing".to_owned());
            return Err(self.failure(Problem::Unexpected { expected, found }));
        }
        self.at += name.len() + 2;
        Ok(Token::Quoted(name))
    }

    fn text(&mut self, prefix: usize, raw: bool) -> Read<'s> {
        let (quotes, body) = Quotes::open(parts::from(self.rest(), prefix));
        let Some(length) = quotes.length(body, raw) else {
            return Err(self.failure(Problem::UnclosedText(quotes.name())));
        };
        let text = Text { body: parts::until(body, length), raw };
        // An unknown escape is told here, where the text begins.
        text.value().map_err(|problem| self.failure(problem))?;
        self.at += prefix + length + 2 * quotes.width();
        Ok(Token::Text(text))
    }

    fn number(&mut self) -> Read<'s> {
        let (token, length) = literal::number(self.rest()).map_err(|kind| self.failure(Problem::BadNumber(kind)))?;
        let rest = parts::from(self.rest(), length);
        let behind = word_length(rest);
        if behind > 0 {
            let found = parts::until(rest, behind.min(16)).to_owned();
            return Err(self.failure(Problem::Unexpected { expected: "an operator after the number", found }));
        }
        self.at += length;
        Ok(token)
    }

    /// The failure of the token that begins here.
    #[cold]
    #[inline(never)]
    fn failure(&self, problem: Problem) -> Box<Failure> {
        Failure::new(self.at, problem)
    }
}

fn word_length(rest: &str) -> usize {
    rest.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Result<Vec<Token<'_>>, Box<Failure>> {
        let mut lexer = Lexer::new(source);
        let mut tokens = Vec::new();
        loop {
            match lexer.next()?.token {
                Token::End => return Ok(tokens),
                token => tokens.push(token),
            }
        }
    }

    fn refusal(source: &str) -> (usize, Problem) {
        let failure = tokens(source).expect_err(source);
        (failure.at, failure.problem)
    }

    #[test]
    fn blanks_and_comments_separate_tokens() {
        let expected = vec![Token::Word("a"), Token::Symbol(Symbol::LessOrEqual), Token::Int(1)];
        assert_eq!(tokens("a // the first\n\t<=1// end").expect("is valid"), expected);
    }

    #[test]
    fn text_is_read_in_every_quoting_form() {
        let forms = [
            (r#""a'b""#, "a'b"),
            (r#"'a"b'"#, "a\"b"),
            (r#"r"a\n""#, "a\\n"),
            (r"R'\'", "\\"),
            ("\"\"\"a\"\nb\"\"\"", "a\"\nb"),
            ("r'''\\a\n'b'''", "\\a\n'b"),
            ("''", ""),
            ("''''''", ""),
            (r#""\"""#, "\""),
        ];
        for (source, text) in forms {
            match tokens(source).expect(source)[..] {
                [Token::Text(token)] => assert_eq!(token.value().as_deref(), Ok(text), "{source}"),
                ref other => panic!("{source} is {other:?}"),
            }
        }
    }

    #[test]
    fn unclosed_text_is_refused_where_it_begins() {
        for source in ["  \"a", "  'a\n'", "  '''a'", "  r\"a\n\"", "  `a", "  `a\n`"] {
            assert!(matches!(refusal(source), (2, Problem::UnclosedText(_))), "{source}");
        }
    }

    #[test]
    fn wrong_operators_come_with_advice() {
        for source in ["=", "&", "|", "#", "é", "“"] {
            assert!(matches!(refusal(source), (0, Problem::NoOperator { .. })), "{source}");
        }
    }

    #[test]
    fn bytes_are_refused_by_name() {
        assert!(matches!(refusal("b'x'"), (0, Problem::NotSupported { .. })));
        assert!(matches!(refusal("bR\"x\""), (0, Problem::NotSupported { .. })));
    }

    #[test]
    fn a_number_does_not_run_into_a_word() {
        assert!(tokens("1a").is_err());
        assert!(tokens("1.5u").is_err());
        assert!(tokens("0xg").is_err());
    }
}
