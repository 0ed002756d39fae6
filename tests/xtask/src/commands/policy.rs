//! `deny.toml`: what we may depend on. It is cargo-deny's format, of which we read what we hold ourselves to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use xtask::workspace::{self, Metadata, Package};

/// Where every dependency comes from, as cargo says it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The whole file.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    pub(super) licenses: Licenses,
    bans: Bans,
    pub(super) advisories: Advisories,
}

#[derive(Debug, Deserialize)]
pub(super) struct Licenses {
    /// SPDX identifiers, some with an exception.
    pub(super) allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Named>,
    /// What may be there in several versions.
    skip: Vec<Named>,
}

/// A package, and why it is named.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Advisories {
    pub(super) ignore: Vec<Ignored>,
}

/// An advisory that does not concern us, and why.
#[derive(Debug, Deserialize)]
pub(super) struct Ignored {
    pub(super) id: String,
    pub(super) reason: String,
}

impl Policy {
    pub(super) fn read() -> Result<Self> {
        let path = workspace::root().join("deny.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))
    }
}

/// Fails with every package that comes from elsewhere, is banned, or is there in several versions; and with each exception that
/// nothing needs any more.
pub(crate) fn check() -> Result<()> {
    let policy = Policy::read()?;
    let packages = Metadata::with_dependencies()?.packages;
    let wrong = complaints(&policy.bans, &packages);
    if !wrong.is_empty() {
        bail!("dependencies against deny.toml:\n  {}", wrong.join("\n  "));
    }
    println!(
        "{} packages are ours or come from crates.io, none is banned, and those in several versions are known",
        packages.len()
    );
    Ok(())
}

fn complaints(bans: &Bans, packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for Package { name, version, source, .. } in packages {
        versions.entry(name).or_default().insert(version);
        if let Some(source) = source.as_ref().filter(|source| *source != CRATES_IO) {
            wrong.push(format!("{name} {version} comes from {source}: take it from crates.io"));
        }
        if let Some(banned) = bans.deny.iter().find(|banned| banned.name == *name) {
            wrong.push(format!("{name} {version} is banned: {}", banned.reason));
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    let is_known = |name: &str| bans.skip.iter().any(|one| one.name == name && !one.reason.is_empty());
    let several = versions.iter().filter(|(name, _)| !is_known(name));
    wrong.extend(several.map(|(name, versions)| {
        format!("{name} is there as {versions:?}: bring them together, or name it in `skip` with the reason")
    }));
    let idle = bans.skip.iter().filter(|one| !versions.contains_key(one.name.as_str()));
    wrong.extend(idle.map(|one| format!("{} is in `skip`, and there in one version at most", one.name)));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, source: Option<&str>) -> Package {
        Package {
            id: format!("{name} {version}"),
            name: name.into(),
            version: version.into(),
            license: None,
            source: source.map(str::to_owned),
            manifest_path: "Cargo.toml".into(),
            dependencies: Vec::new(),
        }
    }

    fn bans(deny: &[&str], skip: &[&str]) -> Bans {
        let named = |names: &[&str]| {
            names.iter().map(|name| Named { name: (*name).into(), reason: "so".into() }).collect::<Vec<_>>()
        };
        Bans { deny: named(deny), skip: named(skip) }
    }

    #[test]
    fn own_packages_and_those_of_crates_io_are_fine_and_others_are_not() {
        let good = [package("a", "1.0.0", None), package("b", "1.0.0", Some(CRATES_IO))];
        assert!(complaints(&bans(&[], &[]), &good).is_empty());
        let bad = [package("c", "1.0.0", Some("git+https://example.org/c"))];
        assert_eq!(complaints(&bans(&[], &[]), &bad).len(), 1);
    }

    #[test]
    fn banned_packages_and_unknown_duplicates_are_told_and_so_are_idle_exceptions() {
        let packages = [package("a", "1.0.0", None), package("a", "2.0.0", None), package("b", "1.0.0", None)];
        assert!(complaints(&bans(&["c"], &["a"]), &packages).is_empty());
        assert_eq!(complaints(&bans(&["b"], &["a"]), &packages).len(), 1);
        assert_eq!(complaints(&bans(&[], &[]), &packages).len(), 1);
        assert_eq!(complaints(&bans(&[], &["a", "b"]), &packages).len(), 1);
    }
}
