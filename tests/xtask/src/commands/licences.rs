//! Every dependency's licence is one that an MIT project may build on.

use anyhow::{Result, bail};
use xtask::workspace::{Metadata, Package};

use super::policy::Policy;

/// Fails with the name and licence of every package that has none of the allowed ones.
pub(crate) fn check() -> Result<()> {
    let metadata = Metadata::with_dependencies()?;
    let allowed = Policy::read()?.licenses.allow;
    let bad: Vec<String> = metadata.packages.iter().filter_map(|package| complaint(package, &allowed)).collect();
    if !bad.is_empty() {
        bail!("dependencies under licences that are not allowed:\n  {}", bad.join("\n  "));
    }
    println!("the licences of {} packages are allowed", metadata.packages.len());
    Ok(())
}

fn complaint(package: &Package, allowed: &[String]) -> Option<String> {
    let text = package.license.as_deref().unwrap_or("");
    let good = Expression { rest: text, allowed }.allows();
    (good != Some(true)).then(|| format!("{} {}: `{text}`", package.name, package.version))
}

/// An SPDX expression that is read from left to right.
struct Expression<'a> {
    rest: &'a str,
    /// What `deny.toml` allows.
    allowed: &'a [String],
}

impl<'a> Expression<'a> {
    /// `None` when it is no expression.
    fn allows(mut self) -> Option<bool> {
        let allowed = self.any()?;
        self.rest.trim().is_empty().then_some(allowed)
    }

    /// `all OR all ...`; older packages write `/` for it.
    fn any(&mut self) -> Option<bool> {
        let mut allowed = self.all()?;
        while self.take("OR") || self.take("/") {
            allowed |= self.all()?;
        }
        Some(allowed)
    }

    /// `one AND one ...`
    fn all(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.take("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    /// `( any )` or `LICENCE` or `LICENCE WITH EXCEPTION`.
    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let allowed = self.any()?;
            return self.take(")").then_some(allowed);
        }
        let licence = self.word()?;
        if !self.take("WITH") {
            return Some(self.allowed.iter().any(|one| one == licence));
        }
        let with = format!("{licence} WITH {}", self.word()?);
        Some(self.allowed.contains(&with))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(after) = rest.strip_prefix(token) else { return false };
        let is_word = token.chars().all(|c| c.is_ascii_alphabetic());
        if is_word && after.starts_with(is_of_a_word) {
            return false;
        }
        self.rest = after;
        true
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        self.rest = after;
        (!word.is_empty()).then_some(word)
    }
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> Option<bool> {
        let allow = ["Apache-2.0 WITH LLVM-exception", "Apache-2.0", "MIT", "Unicode-3.0"].map(str::to_owned);
        Expression { rest: text, allowed: &allow }.allows()
    }

    #[test]
    fn one_allowed_alternative_is_enough_and_every_conjunct_is_needed() {
        assert_eq!(allowed("MIT"), Some(true));
        assert_eq!(allowed("GPL-3.0 OR MIT"), Some(true));
        assert_eq!(allowed("Unlicense/MIT"), Some(true));
        assert_eq!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"), Some(true));
        assert_eq!(allowed("Apache-2.0 WITH LLVM-exception OR GPL-2.0"), Some(true));
        assert_eq!(allowed("MIT AND GPL-3.0"), Some(false));
        assert_eq!(allowed("GPL-3.0 OR (MIT AND AGPL-3.0)"), Some(false));
        assert_eq!(allowed("MIT WITH strange-exception"), Some(false));
    }

    #[test]
    fn what_is_no_expression_is_not_allowed() {
        assert_eq!(allowed(""), None);
        assert_eq!(allowed("MIT OR"), None);
        assert_eq!(allowed("(MIT"), None);
        assert_eq!(allowed("MIT Apache-2.0"), None);
    }
}
