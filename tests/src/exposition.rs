//! Prometheus' text format, version 0.0.4, read strictly: what a lenient scraper forgives is an error here.

use std::collections::{BTreeMap, BTreeSet};

/// A page that was read.
#[derive(Debug, Default)]
pub struct Exposition {
    /// By family: `counter` or `gauge`.
    pub kinds: BTreeMap<String, String>,
    /// By name and labels: its value.
    samples: BTreeMap<Series, f64>,
}

type Series = (String, BTreeMap<String, String>);

impl Exposition {
    /// Reads a page.
    ///
    /// # Errors
    /// The first line that breaks a rule, and which.
    pub fn read(page: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let mut family = String::new();
        if !page.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        for line in page.lines() {
            read.line(line, &mut family).map_err(|rule| format!("{rule}: {line}"))?;
        }
        match read.kinds.iter().find(|(_, kind)| kind.is_empty()) {
            Some((family, _)) => Err(format!("{family} has no TYPE")),
            None => Ok(read),
        }
    }

    /// The value of one series.
    ///
    /// # Panics
    /// When it is not there.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        let series = (name.to_owned(), labels);
        *self.samples.get(&series).unwrap_or_else(|| panic!("no {series:?} in {:#?}", self.samples))
    }

    /// The number of series of a family.
    pub fn series(&self, name: &str) -> usize {
        self.samples.keys().filter(|(family, _)| family == name).count()
    }

    fn line(&mut self, line: &str, family: &mut String) -> Result<(), &'static str> {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').ok_or("HELP without a text")?;
            if self.kinds.insert(name.to_owned(), String::new()).is_some() {
                return Err("a second HELP");
            }
            *family = name.to_owned();
            return if is_name(name, ":") && !text.trim().is_empty() { Ok(()) } else { Err("no name or no text") };
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or("TYPE without a type")?;
            let known = self.kinds.get_mut(name).filter(|_| name == family).ok_or("TYPE does not follow its HELP")?;
            if !known.is_empty() {
                return Err("a second TYPE");
            }
            kind.clone_into(known);
            return match kind {
                "counter" if name.ends_with("_total") => Ok(()),
                "gauge" if !name.ends_with("_total") => Ok(()),
                _ => Err("counters end in _total, and nothing else does"),
            };
        }
        self.sample(line, family)
    }

    fn sample(&mut self, line: &str, family: &str) -> Result<(), &'static str> {
        let name_end = line.find(['{', ' ']).ok_or("no value")?;
        let name = &line[..name_end];
        let kind = self.kinds.get(name).filter(|_| name == family).ok_or("a sample outside of its family")?;
        let (labels, value) = match line[name_end..].strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (BTreeMap::new(), &line[name_end..]),
        };
        let value: f64 = value.strip_prefix(' ').and_then(|value| value.parse().ok()).ok_or("no single value")?;
        if !value.is_finite() || (kind == "counter" && value < 0.0) || kind.is_empty() {
            return Err("no value that its type can have");
        }
        match self.samples.insert((name.to_owned(), labels), value) {
            Some(_) => Err("a second sample of one series"),
            None => Ok(()),
        }
    }
}

/// `a="b",c="d"} 1`: the labels, and what follows the brace.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), &'static str> {
    let mut labels = BTreeMap::new();
    let mut seen = BTreeSet::new();
    loop {
        let (label, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        let (value, after) = quoted(after)?;
        if !is_name(label, "") || label.starts_with("__") || !seen.insert(label.to_owned()) {
            return Err("a label with a bad name, or twice");
        }
        labels.insert(label.to_owned(), value);
        match after.as_bytes().first() {
            Some(b',') => rest = &after[1..],
            Some(b'}') => return Ok((labels, &after[1..])),
            _ => return Err("labels do not end"),
        }
    }
}

/// A label's value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                Some((_, 'n')) => value.push('\n'),
                _ => return Err("an escape that the format does not have"),
            },
            c => value.push(c),
        }
    }
    Err("a label's value does not end")
}

fn is_name(name: &str, more: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_page_is_read_with_its_escapes() {
        let page = "# HELP a_total It.\n# TYPE a_total counter\na_total{b=\"\\\\ \\\" \\n\",c=\"}\"} 3\n# HELP g It.\n# TYPE g gauge\ng -1.5\n";
        let read = Exposition::read(page).unwrap();
        assert_eq!(read.value("a_total", &[("b", "\\ \" \n"), ("c", "}")]).to_string(), "3");
        assert_eq!((read.value("g", &[]).to_string().as_str(), read.series("a_total")), ("-1.5", 1));
    }

    #[test]
    fn page_that_breaks_a_rule_is_refused() {
        let of = |samples: &str| format!("# HELP a_total It.\n# TYPE a_total counter\n{samples}");
        for page in [
            of("a_total 1\na_total 2\n"),
            of("a_total 1"),
            of("a_total{b=\"1\",b=\"1\"} 1\n"),
            of("a_total{b=\"\\t\"} 1\n"),
            of("a_total{b=\"1} 1\n"),
            of("a_total -1\n"),
            of("a_total NaN\n"),
            of("a_total 1 2\n"),
            of("b_total 1\n"),
            of("# HELP a_total It.\n"),
            of("# TYPE a_total counter\n"),
            "# HELP a It.\n# TYPE a counter\na 1\n".to_owned(),
            "# HELP a_total It.\n# TYPE a_total gauge\n".to_owned(),
            "# HELP a It.\na 1\n".to_owned(),
            "# HELP a It.\n".to_owned(),
            "a 1\n".to_owned(),
        ] {
            assert!(Exposition::read(&page).is_err(), "{page}");
        }
    }
}
