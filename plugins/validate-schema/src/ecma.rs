//! Regular expressions of ECMA-262, which JSON Schema's are, in the words of the engine that runs them. `\d` is ten digits and `\w`
//! ASCII, `.` leaves out four line ends, and what only JavaScript reads otherwise is written out as numbered characters.

/// A translated pattern.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) text: String,
    /// What is right, and more than a linear engine can do.
    pub(crate) unsupported: Option<&'static str>,
}

/// What is wrong with a pattern.
type Wrong = &'static str;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";
const LOOK_AROUND: Wrong = "look-around is left out, since it takes more than linear time";
const BACK_REFERENCE: Wrong = "back-references are left out, since they take more than linear time";

/// Translates a pattern.
///
/// # Errors
/// Why it is no pattern.
pub(crate) fn translate(pattern: &str) -> Result<Translated, &'static str> {
    let mut translator =
        Translator { rest: pattern, out: String::new(), groups: Vec::new(), can_repeat: false, unsupported: None };
    while let Some(character) = translator.next() {
        translator.term(character)?;
    }
    if translator.groups.is_empty() {
        Ok(Translated { text: translator.out, unsupported: translator.unsupported })
    } else {
        Err("a `(` has no `)`")
    }
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    /// By open group, whether it can be repeated.
    groups: Vec<bool>,
    can_repeat: bool,
    unsupported: Option<&'static str>,
}

/// One member of a class in brackets.
enum Member {
    Character(char),
    Set(String),
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let after = self.rest.strip_prefix(prefix);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn term(&mut self, character: char) -> Result<(), Wrong> {
        match character {
            '\\' => return self.escape(),
            '[' => self.class()?,
            '(' => return self.group(),
            ')' => {
                self.out.push(')');
                self.can_repeat = self.groups.pop().ok_or("a `)` has no `(`")?;
                return Ok(());
            }
            '|' | '^' | '$' => {
                self.out.push(character);
                self.can_repeat = false;
                return Ok(());
            }
            '*' | '+' | '?' => return self.repeat(&character.to_string()),
            '{' => {
                if let Some(length) = count_length(self.rest) {
                    let count = format!("{{{}", &self.rest[..length]);
                    self.rest = &self.rest[length..];
                    return self.repeat(&count);
                }
                self.literal('{');
            }
            '.' => self.out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
            _ => self.literal(character),
        }
        self.can_repeat = true;
        Ok(())
    }

    fn repeat(&mut self, count: &str) -> Result<(), Wrong> {
        if !self.can_repeat {
            return Err("`*`, `+`, `?` or `{` repeats nothing; write a backslash before it for the character");
        }
        self.out.push_str(count);
        if self.take("?") {
            self.out.push('?');
        }
        self.can_repeat = false;
        Ok(())
    }

    fn group(&mut self) -> Result<(), Wrong> {
        let is_look_around = ["?=", "?!", "?<=", "?<!"].iter().any(|prefix| self.take(prefix));
        if is_look_around {
            self.unsupported.get_or_insert(LOOK_AROUND);
        } else if self.take("?<") {
            let end = self.rest.find('>').filter(|end| *end > 0).ok_or("the name of a group does not end")?;
            self.rest = &self.rest[end + 1..];
        } else if !self.take("?:") && self.rest.starts_with('?') {
            return Err("after `(?` come `:`, `=`, `!`, `<=`, `<!` or a name in angle brackets");
        }
        self.out.push_str("(?:");
        self.groups.push(!is_look_around);
        self.can_repeat = false;
        Ok(())
    }

    /// Outside of brackets.
    fn escape(&mut self) -> Result<(), Wrong> {
        self.can_repeat = true;
        if self.rest.starts_with(|c: char| ('1'..='9').contains(&c)) || self.rest.starts_with("k<") {
            self.unsupported.get_or_insert(BACK_REFERENCE);
            self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
            return Ok(());
        }
        if self.rest.starts_with(['b', 'B']) {
            self.can_repeat = false;
            let boundary = if self.next() == Some('b') { r"(?-u:\b)" } else { r"(?-u:\B)" };
            self.out.push_str(boundary);
            return Ok(());
        }
        match self.escaped()? {
            Member::Character(character) => self.literal(character),
            Member::Set(set) => self.out.push_str(&set),
        }
        Ok(())
    }

    /// What stands after a backslash, wherever that is.
    fn escaped(&mut self) -> Result<Member, Wrong> {
        let set = |negated: &str, set: &str| Ok(Member::Set(format!("[{negated}{set}]")));
        let kind = self.next().ok_or("a backslash stands at the end")?;
        Ok(Member::Character(match kind {
            'd' => return set("", DIGIT),
            'D' => return set("^", DIGIT),
            'w' => return set("", WORD),
            'W' => return set("^", WORD),
            's' => return set("", SPACE),
            'S' => return set("^", SPACE),
            'p' | 'P' => return self.property(kind).map(Member::Set),
            't' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            '0' if !self.rest.starts_with(|c: char| c.is_ascii_digit()) => '\0',
            'c' => {
                let letter = self.next().filter(char::is_ascii_alphabetic).ok_or("`\\c` needs a letter")?;
                char::from(letter as u8 % 32)
            }
            'x' => self.hex(2).and_then(char::from_u32).ok_or("`\\x` needs two hexadecimal digits")?,
            'u' => self.code_point().ok_or("`\\u` needs four hexadecimal digits, or those of a character in braces")?,
            _ if kind.is_ascii_alphanumeric() => {
                return Err("a backslash stands before a letter or digit that it gives no meaning");
            }
            _ => kind,
        }))
    }

    /// `{Letter}`, `{Script=Greek}`
    fn property(&mut self, kind: char) -> Result<String, Wrong> {
        let wrong = "`\\p` needs the name of a Unicode property in braces";
        let name = self.rest.strip_prefix('{').and_then(|rest| Some(&rest[..rest.find('}')?])).ok_or(wrong)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '=');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(wrong);
        }
        self.rest = &self.rest[name.len() + 2..];
        Ok(format!("\\{kind}{{{name}}}"))
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest.get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.rest = &self.rest[digits..];
        u32::from_str_radix(text, 16).ok()
    }

    fn code_point(&mut self) -> Option<char> {
        if let Some(rest) = self.rest.strip_prefix('{') {
            let length = rest.find('}').filter(|length| (1..=8).contains(length))?;
            self.rest = rest;
            let code = self.hex(length)?;
            self.take("}");
            return char::from_u32(code);
        }
        let high = self.hex(4)?;
        if (0xd800..0xdc00).contains(&high) && self.take("\\u") {
            let low = self.hex(4).filter(|low| (0xdc00..0xe000).contains(low))?;
            return char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        }
        char::from_u32(high)
    }

    fn class(&mut self) -> Result<(), Wrong> {
        let is_negated = self.take("^");
        let start = self.out.len();
        self.out.push_str(if is_negated { "[^" } else { "[" });
        let mut is_empty = true;
        while !self.take("]") {
            is_empty = false;
            match self.member()? {
                Member::Character(first) if self.rest.starts_with('-') && !self.rest.starts_with("-]") => {
                    self.take("-");
                    self.range(first)?;
                }
                Member::Character(character) => self.literal(character),
                Member::Set(set) => self.out.push_str(&set),
            }
        }
        self.out.push(']');
        if is_empty {
            // Nothing, and everything.
            self.out.truncate(start);
            self.out.push_str(if is_negated { r"[\x00-\x{10FFFF}]" } else { r"[^\x00-\x{10FFFF}]" });
        }
        Ok(())
    }

    fn member(&mut self) -> Result<Member, Wrong> {
        match self.next().ok_or("a `[` has no `]`")? {
            '\\' if self.take("b") => Ok(Member::Character('\u{8}')),
            '\\' => self.escaped(),
            character => Ok(Member::Character(character)),
        }
    }

    fn range(&mut self, first: char) -> Result<(), Wrong> {
        match self.member()? {
            Member::Character(last) if first <= last => {
                self.literal(first);
                self.out.push('-');
                self.literal(last);
                Ok(())
            }
            Member::Character(_) => Err("a range in `[` and `]` ends before it begins"),
            Member::Set(set) => {
                self.literal(first);
                self.literal('-');
                self.out.push_str(&set);
                Ok(())
            }
        }
    }

    fn literal(&mut self, character: char) {
        if character.is_ascii_alphanumeric() {
            self.out.push(character);
        } else {
            self.out.push_str(&format!("\\x{{{:X}}}", u32::from(character)));
        }
    }
}

/// The length of `2}`, `2,}` or `2,3}`.
fn count_length(rest: &str) -> Option<usize> {
    let (count, _) = rest.split_once('}')?;
    let (min, max) = count.split_once(',').unwrap_or((count, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!min.is_empty() && is_number(min) && is_number(max)).then_some(count.len() + 1)
}
