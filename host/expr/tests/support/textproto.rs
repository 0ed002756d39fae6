//! Reads protobuf's text format, as much of it as the CEL conformance files use.

/// A message: its fields in order, a repeated one several times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Message(pub(crate) Vec<(String, Field)>);

/// What a field holds.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    /// A text, as its bytes.
    Text(Vec<u8>),
    /// A number or a word, as written.
    Scalar(String),
    Message(Message),
}

impl Message {
    /// Every value of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value)
    }

    pub(crate) fn messages<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Message> {
        self.all(name).filter_map(|field| match field {
            Field::Message(message) => Some(message),
            _ => None,
        })
    }

    pub(crate) fn message(&self, name: &str) -> Option<&Message> {
        self.0.iter().find_map(|(field, value)| match value {
            Field::Message(message) if field == name => Some(message),
            _ => None,
        })
    }

    /// A text or scalar as text; empty when absent, as in protobuf.
    pub(crate) fn text(&self, name: &str) -> String {
        match self.all(name).next() {
            Some(Field::Text(bytes)) => String::from_utf8(bytes.clone()).expect("text fields hold UTF-8"),
            Some(Field::Scalar(word)) => word.clone(),
            _ => String::new(),
        }
    }
}

/// Reads a file. Malformed input panics with its place: the files come from a released specification.
pub(crate) fn read(source: &str) -> Message {
    let mut reader = Reader { bytes: source.as_bytes(), at: 0 };
    let message = reader.message(None);
    assert_eq!(reader.at, reader.bytes.len(), "something follows the last field");
    message
}

struct Reader<'s> {
    bytes: &'s [u8],
    at: usize,
}

impl Reader<'_> {
    fn message(&mut self, close: Option<u8>) -> Message {
        let mut message = Message::default();
        loop {
            let next = self.peek();
            if next == close {
                self.at += usize::from(close.is_some());
                return message;
            }
            let name = self.name();
            if self.peek() == Some(b':') {
                self.at += 1;
            }
            self.values(&name, &mut message);
            if matches!(self.peek(), Some(b',' | b';')) {
                self.at += 1;
            }
        }
    }

    fn values(&mut self, name: &str, message: &mut Message) {
        if self.peek() != Some(b'[') {
            let value = self.value();
            return message.0.push((name.to_owned(), value));
        }
        self.at += 1;
        while self.peek() != Some(b']') {
            let value = self.value();
            message.0.push((name.to_owned(), value));
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn value(&mut self) -> Field {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Field::Message(self.message(Some(b'}')))
            }
            Some(b'<') => {
                self.at += 1;
                Field::Message(self.message(Some(b'>')))
            }
            Some(b'"' | b'\'') => {
                let mut text = Vec::new();
                while let Some(quote @ (b'"' | b'\'')) = self.peek() {
                    self.at += 1;
                    self.text(quote, &mut text);
                }
                Field::Text(text)
            }
            _ => Field::Scalar(self.word()),
        }
    }

    /// A field's name, or an extension's or type's in brackets.
    fn name(&mut self) -> String {
        if self.peek() != Some(b'[') {
            return self.word();
        }
        let length = self.bytes[self.at..].iter().position(|byte| *byte == b']').expect("a closing bracket") + 1;
        self.take(length)
    }

    fn word(&mut self) -> String {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        assert!(length > 0, "unexpected byte at {}", self.at);
        self.take(length)
    }

    fn take(&mut self, length: usize) -> String {
        let taken = String::from_utf8_lossy(&self.bytes[self.at..self.at + length]).into_owned();
        self.at += length;
        taken
    }

    fn text(&mut self, quote: u8, text: &mut Vec<u8>) {
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            match byte {
                b'\\' => self.escape(text),
                _ if byte == quote => return,
                _ => text.push(byte),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let kind = self.bytes[self.at];
        self.at += 1;
        match kind {
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'v' => text.push(11),
            b'x' | b'X' => text.push(self.digits(16, 2) as u8),
            b'u' => self.character(4, text),
            b'U' => self.character(8, text),
            b'0'..=b'7' => {
                self.at -= 1;
                text.push(self.digits(8, 3) as u8);
            }
            other => text.push(other),
        }
    }

    fn character(&mut self, digits: usize, text: &mut Vec<u8>) {
        let character = char::from_u32(self.digits(16, digits)).expect("a code point");
        text.extend(character.to_string().bytes());
    }

    fn digits(&mut self, radix: u32, max: usize) -> u32 {
        let rest = self.bytes[self.at..].iter().take(max);
        let length = rest.take_while(|byte| char::from(**byte).is_digit(radix)).count();
        u32::from_str_radix(&self.take(length), radix).expect("digits")
    }

    /// The next byte that is neither blank nor part of a comment.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if byte == b'#' {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            } else if byte.is_ascii_whitespace() {
                self.at += 1;
            } else {
                return Some(byte);
            }
        }
    }
}
