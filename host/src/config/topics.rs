//! What topics a source reads: names, and patterns for topics that may come later.

use std::fmt;

use wasmill_expr::Pattern;

/// The topics of a source, as they were written.
#[derive(Clone, Debug, Default)]
pub struct Topics(Vec<Topic>);

#[derive(Clone, Debug)]
enum Topic {
    Name(String),
    Pattern(TopicPattern),
}

/// A regular expression for topics' names that begins with `^`, in the part of the syntax that means the same to librdkafka
/// (POSIX, extended) and to [`Pattern`].
#[derive(Clone, Debug)]
pub struct TopicPattern {
    text: String,
    pattern: Pattern,
}

impl TopicPattern {
    /// # Errors
    /// What is wrong with it, to be put after the pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.starts_with('^') {
            return Err("a pattern begins with ^".to_owned());
        }
        if let Some(part) = differing(text) {
            return Err(format!(
                "{part} does not mean the same to every Kafka client: of escapes there is \\. only, classes are written as [0-9]"
            ));
        }
        let pattern = Pattern::new(text).map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), pattern })
    }

    /// Whether it matches a topic's name.
    pub fn matches(&self, topic: &str) -> bool {
        self.pattern.is_match(topic)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

/// What POSIX reads in another way, or not at all.
fn differing(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let escape = bytes.windows(2).find(|pair| pair[0] == b'\\' && pair[1] != b'.');
    if let Some(escape) = escape {
        return Some(String::from_utf8_lossy(escape).into_owned());
    }
    ["(?", "*?", "+?", "??", "}?"].into_iter().find(|part| text.contains(part)).map(str::to_owned)
}

impl Topics {
    /// Topics by their names.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(Topic::Name).collect())
    }

    pub(super) fn push_name(&mut self, name: String) {
        self.0.push(Topic::Name(name));
    }

    pub(super) fn push_pattern(&mut self, pattern: TopicPattern) {
        self.0.push(Topic::Pattern(pattern));
    }

    /// Names and patterns, as a consumer subscribes to them.
    pub fn subscription(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|topic| match topic {
            Topic::Name(name) => name.as_str(),
            Topic::Pattern(pattern) => pattern.text.as_str(),
        })
    }

    /// Those that are named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|topic| match topic {
            Topic::Name(name) => Some(name.as_str()),
            Topic::Pattern(_) => None,
        })
    }

    /// Those that are patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &TopicPattern> {
        self.0.iter().filter_map(|topic| match topic {
            Topic::Name(_) => None,
            Topic::Pattern(pattern) => Some(pattern),
        })
    }

    /// Whether a topic is read.
    pub fn take(&self, topic: &str) -> bool {
        self.names().any(|name| name == topic) || self.patterns().any(|pattern| pattern.matches(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_means_the_same_to_every_client_or_is_refused() {
        for text in ["^logs-[a-z]+$", "^(a|b)\\.raw$", "^x{1,3}", "^[[:digit:]]+-.*"] {
            assert!(TopicPattern::new(text).is_ok(), "{text}");
        }
        for (text, part) in [
            ("^logs-\\d+", "\\d"),
            ("^a+?", "+?"),
            ("^(?i)a", "(?"),
            ("^[a\\-z]", "\\-"),
            ("^a(", "`(`"),
            ("a", "begins with ^"),
        ] {
            let refused = TopicPattern::new(text).unwrap_err();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }

    #[test]
    fn topic_is_taken_by_its_name_or_by_a_pattern() {
        let mut topics = Topics::named(["audit".to_owned()]);
        topics.push_pattern(TopicPattern::new("^logs-[a-z]+$").unwrap());
        for (topic, taken) in
            [("audit", true), ("audit2", false), ("logs-a", true), ("my-logs-a", false), ("logs-1", false)]
        {
            assert_eq!(topics.take(topic), taken, "{topic}");
        }
        assert_eq!(topics.subscription().collect::<Vec<_>>(), ["audit", "^logs-[a-z]+$"]);
        assert_eq!((topics.names().count(), topics.patterns().count()), (1, 1));
    }
}
