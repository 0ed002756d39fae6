//! Source text into tokens, by CEL's lexical rules.

use crate::Problem;
use crate::error::Failure;
use crate::literal::{self, Quotes};

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
        self.token().map(|token| Lexeme { at, token }).map_err(|problem| Failure::new(at, problem))
    }

    fn token(&mut self) -> Result<Token<'s>, Problem> {
        let rest = self.rest();
        match rest.bytes().next() {
            None => Ok(Token::End),
            Some(b'0'..=b'9') => self.number(),
            Some(b'.') if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            Some(b'"' | b'\'') => self.text(0, false),
            Some(b'`') => self.quoted_name(),
            Some(b'_' | b'a'..=b'z' | b'A'..=b'Z') => self.word(),
            _ => self.symbol(),
        }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.rest().find(|c| !matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r'));
            self.at += blanks.unwrap_or(self.rest().len());
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn symbol(&mut self) -> Result<Token<'s>, Problem> {
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
        Err(Problem::NoOperator { found, advice })
    }

    fn word(&mut self) -> Result<Token<'s>, Problem> {
        let rest = self.rest();
        let length = word_length(rest);
        let word = &rest[..length];
        if rest[length..].starts_with(['"', '\'']) {
            match word {
                "r" | "R" => return self.text(1, true),
                "b" | "B" | "br" | "bR" | "Br" | "BR" => {
                    return Err(Problem::NotSupported { what: "bytes are", instead: "write a text, without the b" });
                }
                _ => {}
            }
        }
        self.at += length;
        Ok(Token::Word(word))
    }

    /// A name between backquotes. CEL allows letters, digits and a few signs there; this takes any printable text, since
    /// JSON keys are any text.
    fn quoted_name(&mut self) -> Result<Token<'s>, Problem> {
        let inner = &self.rest()[1..];
        let end = inner.find(['`', '\n']).filter(|&end| inner.as_bytes()[end] == b'`');
        let name = &inner[..end.ok_or(Problem::UnclosedText("backquote"))?];
        if name.is_empty() {
            return Err(Problem::Unexpected { expected: "a name between the backquotes", found: "nothing".to_owned() });
        }
        self.at += name.len() + 2;
        Ok(Token::Quoted(name))
    }

    fn text(&mut self, prefix: usize, raw: bool) -> Result<Token<'s>, Problem> {
        let (quotes, body) = Quotes::open(&self.rest()[prefix..]);
        let length = quotes.length(body, raw).ok_or(Problem::UnclosedText(quotes.name()))?;
        self.at = self.source.len() - body.len() + length + quotes.width();
        let text = Text { body: &body[..length], raw };
        text.value()?; // an unknown escape is told here, where the text begins
        Ok(Token::Text(text))
    }

    fn number(&mut self) -> Result<Token<'s>, Problem> {
        let (token, length) = literal::number(self.rest())?;
        self.at += length;
        let rest = self.rest();
        if word_length(rest) > 0 {
            let found = rest[..word_length(rest)].chars().take(16).collect();
            return Err(Problem::Unexpected { expected: "an operator after the number", found });
        }
        Ok(token)
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
