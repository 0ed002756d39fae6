//! `fuel.lock`: what an event of each golden batch costs, so that nobody makes it dearer unawares. Fuel is counted, not measured, and the
//! same on every machine for the same component.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::golden::HOW_TO_ACCEPT;

/// What the file begins with.
const HEAD: &str =
    "# Fuel per event of each golden batch in tests/golden. `WASMILL_ACCEPT=1 cargo test` writes it anew.\n";

/// Fails when an event of a batch costs more than the file says and so many percent.
pub(crate) fn check(crate_folder: &Path, name: &str, fuel: u64, percent: u32) -> anyhow::Result<()> {
    let file = path(crate_folder);
    let text = if file.is_file() { fs::read_to_string(&file) } else { Ok(String::new()) };
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let Some(locked) = costs(&text).find(|(batch, _)| *batch == name).map(|(_, fuel)| fuel) else {
        bail!("{} has no line for it: {HOW_TO_ACCEPT}", file.display());
    };
    let most = locked + locked * u64::from(percent) / 100;
    if fuel > most {
        let grown = (fuel - locked) * 100 / locked.max(1);
        bail!(
            "an event costs {fuel} fuel, {grown} % more than the {locked} of {} (at most {percent} % more is let pass): {HOW_TO_ACCEPT}",
            file.display()
        );
    }
    Ok(())
}

/// Writes what an event of a batch costs. Tests run side by side, so one at a time.
pub(crate) fn accept(crate_folder: &Path, name: &str, fuel: u64) -> anyhow::Result<()> {
    let path = path(crate_folder);
    let cannot = || format!("cannot write {}", path.display());
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).with_context(cannot)?;
    // Given back when the file is closed.
    file.lock().with_context(cannot)?;
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(cannot)?;
    let renewed = with(&text, name, fuel);
    if renewed != text {
        rewrite(&mut file, &renewed).with_context(cannot)?;
    }
    Ok(())
}

fn rewrite(file: &mut File, text: &str) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())
}

fn path(crate_folder: &Path) -> PathBuf {
    crate_folder.join("fuel.lock")
}

/// Names of batches with what an event costs.
fn costs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (name, fuel) = line.rsplit_once(' ')?;
        Some((name, fuel.parse().ok()?))
    })
}

/// The text of the file with a batch renewed, in the order of their names.
fn with(text: &str, name: &str, fuel: u64) -> String {
    let mut lines: Vec<(&str, u64)> = costs(text).filter(|(batch, _)| *batch != name).chain([(name, fuel)]).collect();
    lines.sort_unstable();
    lines.iter().fold(HEAD.to_owned(), |text, (name, fuel)| format!("{text}{name} {fuel}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_renewed_in_its_place() {
        let text = with(&with("", "b", 7), "a", 1);
        assert_eq!(text, format!("{HEAD}a 1\nb 7\n"));
        assert_eq!(with(&text, "b", 8), format!("{HEAD}a 1\nb 8\n"));
    }

    #[test]
    fn growth_is_let_pass_up_to_its_limit_and_no_further() {
        let folder = std::env::temp_dir().join(format!("wasmill-fuel-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let check = |fuel, percent| check(&folder, "a", fuel, percent).map_err(|error| error.to_string());
        assert!(check(1, 5).unwrap_err().contains("has no line for it: if that is right, run `WASMILL_ACCEPT=1"));
        accept(&folder, "a", 1_000).unwrap();
        assert_eq!(check(1_050, 5), Ok(()));
        let why = check(1_051, 5).unwrap_err();
        assert!(why.starts_with("an event costs 1051 fuel, 5 % more than the 1000 of "), "{why}");
        accept(&folder, "a", 1_051).unwrap();
        assert_eq!(check(1_051, 0), Ok(()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
