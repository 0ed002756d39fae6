//! The advisories of RustSec about the versions that we build with. Their database is fetched with git; where it cannot be
//! reached that is said, loudly, and the versions are unchecked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use semver::{Version, VersionReq};
use serde::Deserialize;
use xtask::workspace::{Metadata, Package};

use super::policy::{Ignored, Policy};

const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// Names a folder with the database, in place of the one that is fetched. What it names must be there.
const FOLDER: &str = "WASMILL_ADVISORY_DB";

/// The head of an advisory's file.
#[derive(Debug, Deserialize)]
struct Advisory {
    advisory: Header,
    versions: Versions,
}

#[derive(Debug, Deserialize)]
struct Header {
    id: String,
    /// `unmaintained`, `unsound` or `notice`; absent for a vulnerability.
    informational: Option<String>,
    withdrawn: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// What an advisory says about a version that we have.
#[derive(Debug)]
struct Finding {
    id: String,
    text: String,
    /// Whether the code is wrong, and not only without a maintainer.
    is_flaw: bool,
}

/// Fails with every flaw that is known of a dependency. Gives why nothing was checked, if so.
pub(crate) fn check() -> Result<Option<String>> {
    let metadata = Metadata::with_dependencies()?;
    let folder = match std::env::var_os(FOLDER).map(PathBuf::from) {
        Some(folder) => folder,
        None => match fetch(&metadata.target_directory.join("advisory-db")) {
            Ok(folder) => folder,
            Err(error) => return Ok(Some(format!("{error:#}"))),
        },
    };
    let crates = folder.join("crates");
    ensure!(crates.is_dir(), "{} is no database of advisories: it has no folder `crates`", folder.display());
    let mut findings = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        findings.extend(about(&crates, package)?);
    }
    judge(&findings, &Policy::read()?.advisories.ignore)?;
    println!("no advisory is about a flaw in one of {} packages", metadata.packages.len());
    Ok(None)
}

/// The newest database, in `folder`; only what changed is fetched.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        // It asks nobody for a password, and gives up where nothing comes.
        git.env("GIT_TERMINAL_PROMPT", "0").args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=20"]);
        let output = git.args(arguments).output().context("cannot run git")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {}: {}", arguments.join(" "), said.trim());
        Ok(())
    };
    let path = folder.display().to_string();
    if folder.join(".git").exists() {
        git(&["-C", &path, "fetch", "--quiet", "--depth", "1", DATABASE, "HEAD"])?;
        git(&["-C", &path, "reset", "--quiet", "--hard", "FETCH_HEAD"])?;
    } else {
        git(&["clone", "--quiet", "--depth", "1", DATABASE, &path])?;
    }
    Ok(folder.to_owned())
}

/// What the database says about a package in its version.
fn about(crates: &Path, package: &Package) -> Result<Vec<Finding>> {
    let folder = crates.join(&package.name);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        findings.extend(finding(&text, package).with_context(|| format!("cannot understand {}", path.display()))?);
    }
    Ok(findings)
}

/// What one advisory, a head in TOML and a text in Markdown, says about a package in its version.
fn finding(text: &str, package: &Package) -> Result<Option<Finding>> {
    let head = text.split_once("```toml").and_then(|(_, rest)| rest.split_once("```"));
    let (head, rest) = head.context("it has no head")?;
    let Advisory { advisory, versions } = toml::from_str(head)?;
    let version = Version::parse(&package.version)?;
    for requirement in versions.patched.iter().chain(&versions.unaffected) {
        if VersionReq::parse(requirement)?.matches(&version) {
            return Ok(None);
        }
    }
    if advisory.withdrawn.is_some() {
        return Ok(None);
    }
    let title = rest.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default();
    let kind = advisory.informational.as_deref().unwrap_or("vulnerable");
    let remedy = match &versions.patched[..] {
        [] => "no version is better".to_owned(),
        patched => patched.join(" or ") + " is better",
    };
    Ok(Some(Finding {
        text: format!("{} {} is {kind}: {title} ({}; {remedy})", package.name, package.version, advisory.id),
        id: advisory.id,
        is_flaw: !matches!(kind, "unmaintained" | "notice"),
    }))
}

/// Tells every finding, and fails for flaws that nobody has a reason to ignore and for reasons that nothing needs.
fn judge(findings: &[Finding], ignored: &[Ignored]) -> Result<()> {
    let mut wrong = Vec::new();
    for finding in findings {
        match ignored.iter().find(|one| one.id == finding.id) {
            Some(reason) => println!("{}: ignored, since {}", finding.text, reason.reason),
            None if finding.is_flaw => wrong.push(finding.text.clone()),
            None => println!("{}", finding.text),
        }
    }
    let idle = ignored.iter().filter(|one| findings.iter().all(|finding| finding.id != one.id));
    wrong.extend(idle.map(|one| format!("{} is ignored in deny.toml, and is about nothing that we have", one.id)));
    if !wrong.is_empty() {
        bail!("advisories:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(version: &str, more: &str) -> Option<Finding> {
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"a\"\n{more}\n\n[versions]\n\
             patched = [\">= 1.2.3\"]\nunaffected = [\"< 1.0.0\"]\n```\n\n# It falls over\n\nAt times.\n"
        );
        let package = Package {
            id: String::new(),
            name: "a".into(),
            version: version.into(),
            license: None,
            source: None,
            manifest_path: "Cargo.toml".into(),
            dependencies: Vec::new(),
        };
        finding(&text, &package).unwrap()
    }

    #[test]
    fn versions_from_the_first_bad_one_to_the_last_are_found() {
        for (version, is_found) in
            [("0.9.9", false), ("1.0.0", true), ("1.2.2", true), ("1.2.3", false), ("2.0.0", false)]
        {
            assert_eq!(found(version, "").is_some(), is_found, "{version}");
        }
        let text = found("1.1.0", "").unwrap().text;
        assert_eq!(text, "a 1.1.0 is vulnerable: It falls over (RUSTSEC-2026-0001; >= 1.2.3 is better)");
    }

    #[test]
    fn what_was_withdrawn_is_not_found_and_what_is_unmaintained_is_no_flaw() {
        assert!(found("1.1.0", "withdrawn = \"2026-02-01\"").is_none());
        assert!(!found("1.1.0", "informational = \"unmaintained\"").unwrap().is_flaw);
        assert!(found("1.1.0", "informational = \"unsound\"").unwrap().is_flaw);
    }

    #[test]
    fn flaws_fail_unless_they_are_ignored_and_so_do_idle_exceptions() {
        let flaw = || vec![found("1.1.0", "").unwrap()];
        let ignored = |id: &str| vec![Ignored { id: id.into(), reason: "so".into() }];
        assert!(judge(&flaw(), &[]).is_err());
        assert!(judge(&flaw(), &ignored("RUSTSEC-2026-0001")).is_ok());
        assert!(judge(&[], &ignored("RUSTSEC-2026-0001")).is_err());
    }
}
