//! Names that may stand in SQL text.

use std::fmt;
use std::str::FromStr;

/// A column, table or schema name: 1 to 63 bytes, no NUL. Displayed quoted, so that any such name is safe in SQL text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

/// A text that is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no identifier: 1 to 63 bytes without control characters are allowed")]
pub struct IdentifierError(String);

impl Identifier {
    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        if text.is_empty() || text.len() > 63 || text.chars().any(char::is_control) {
            return Err(IdentifierError(text.chars().take(80).filter(|c| !c.is_control()).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted_name(&self.0))
    }
}

/// A name of the database's own as SQL writes it.
pub fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's name, with its schema if one is given. Displayed quoted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema.
    pub schema: Option<Identifier>,
    /// The table.
    pub table: Identifier,
}

impl FromStr for TableName {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        match text.split_once('.') {
            Some((schema, table)) => Ok(Self { schema: Some(schema.parse()?), table: table.parse()? }),
            None => Ok(Self { schema: None, table: text.parse()? }),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        self.table.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_is_quoted_and_its_quotes_are_doubled() {
        assert_eq!("a\"; drop table x".parse::<Identifier>().unwrap().to_string(), "\"a\"\"; drop table x\"");
        assert_eq!("s.t".parse::<TableName>().unwrap().to_string(), "\"s\".\"t\"");
    }

    #[test]
    fn identifier_has_1_to_63_bytes() {
        assert!("a".repeat(63).parse::<Identifier>().is_ok());
        assert!("a".repeat(64).parse::<Identifier>().is_err());
        assert!("".parse::<Identifier>().is_err());
        assert!("a\0".parse::<Identifier>().is_err());
    }
}
