//! Debian packages unpacked into a folder of their own: no root needed, nothing on the host is touched.
//!
//! The packages come from the mirror that the host's own apt sources name, checked against Debian's keyring, by a
//! private apt. Their programs run with the C library they were built for, through a wrapper each that starts them by
//! that library's loader; so a newer Debian's programs run on an older one, and the folder can be moved.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::folders::{self, cannot};
use super::requirements::Requirement;

/// The Debian release whose PostgreSQL and TimescaleDB are used.
const SUITE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Needed by the packages' install scripts only, which do not run, or not at all (LLVM: compilation of queries is off).
const LEFT_OUT: &[&str] = &[
    "adduser",
    "debconf",
    "libc-l10n",
    "libllvm",
    "libperl",
    "libz3",
    "locales",
    "passwd",
    "perl",
    "postgresql-common",
    "procps",
    "tzdata",
    "ucf",
];
const TAR_EXCLUDES: &[&str] = &["./usr/share/doc*", "./usr/share/man*", "./usr/share/locale*", "*/bitcode/*"];

/// Downloads packages with what they depend on, and unpacks them below `prefix`. Programs in the folder `programs`,
/// relative to the prefix, can then be run.
pub(super) fn unpack(packages: &[&str], prefix: &Path, programs: &str) -> Result<()> {
    Requirement::check(&[Requirement::Apt, Requirement::DpkgDeb, Requirement::Tar])?;
    let apt = folders::beside(prefix, "apt");
    download(packages, &apt)?;
    fs::create_dir_all(prefix).with_context(|| cannot("make", prefix))?;
    let archives = apt.join("cache/archives");
    for entry in fs::read_dir(&archives).with_context(|| cannot("read", &archives))? {
        let path = entry.with_context(|| cannot("read", &archives))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".deb") && !is_left_out(&name) {
            extract(&path, prefix)?;
        }
    }
    wrap_programs(prefix, &prefix.join(programs))?;
    // Whatever the umask: a server may run as another user.
    stdout_of(Command::new("chmod").args(["-R", "a+rX"]).arg(prefix))?;
    fs::remove_dir_all(&apt).with_context(|| cannot("delete", &apt))
}

fn is_left_out(file_name: &str) -> bool {
    LEFT_OUT.iter().any(|prefix| file_name.starts_with(prefix))
}

fn download(packages: &[&str], apt: &Path) -> Result<()> {
    if apt.exists() {
        fs::remove_dir_all(apt).with_context(|| cannot("delete", apt))?;
    }
    for folder in ["lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/trusted.gpg.d"] {
        let folder = apt.join(folder);
        fs::create_dir_all(&folder).with_context(|| cannot("make", &folder))?;
    }
    if !Path::new(KEYRING).exists() {
        bail!("{KEYRING} is missing: install it by `apt-get install debian-archive-keyring`");
    }
    let architecture = stdout_of(Command::new("dpkg").arg("--print-architecture"))?;
    let source = format!("deb [arch={architecture} signed-by={KEYRING}] {} {SUITE} main\n", mirror()?);
    let config = apt.join("apt.conf");
    for (path, text) in [
        (apt.join("sources.list"), source.as_str()),
        (apt.join("status"), ""),
        (config.clone(), &apt_config(apt, &architecture)),
    ] {
        fs::write(&path, text).with_context(|| cannot("write", &path))?;
    }
    stdout_of(Command::new("apt-get").args(["-q", "update"]).env("APT_CONFIG", &config))?;
    let mut install = Command::new("apt-get");
    install.args(["-y", "-q", "--download-only", "install"]).args(packages).env("APT_CONFIG", &config);
    stdout_of(&mut install).map(|_| ())
}

fn apt_config(apt: &Path, architecture: &str) -> String {
    format!(
        r#"Dir::Etc "{apt}/etc";
Dir::Etc::sourcelist "{apt}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "{apt}";
Dir::State::lists "{apt}/lists";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
Dir::Log "{apt}";
APT::Architecture "{architecture}";
APT::Install-Recommends "0";
APT::Sandbox::User "";
Acquire::Retries "3";
"#,
        apt = apt.display()
    )
}

/// The Debian mirror that the host's own apt sources name.
fn mirror() -> Result<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path()));
    files.sort();
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.filter_map(|text| mirror_in(&text)).next().context(
        "the apt sources of this machine name no Debian mirror (TimescaleDB comes from Debian's packages): start it by \
         `docker compose up -d` and set DATABASE_URL",
    )
}

/// The first address that ends like the root of a Debian mirror, or of a list of such.
fn mirror_in(sources: &str) -> Option<String> {
    let lines = sources.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .find(|word| word.contains(":/") && (word.ends_with("/debian") || word.ends_with("/debian.list")))
        .map(str::to_owned)
}

fn extract(package: &Path, prefix: &Path) -> Result<()> {
    let mut unpacker = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run dpkg-deb")?;
    let archive = unpacker.stdout.take().context("dpkg-deb has no output")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--keep-directory-symlink", "--no-same-owner", "-C"]).arg(prefix);
    tar.args(TAR_EXCLUDES.iter().map(|pattern| format!("--exclude={pattern}"))).stdin(archive);
    stdout_of(&mut tar)?;
    if !unpacker.wait().context("cannot wait for dpkg-deb")?.success() {
        bail!("dpkg-deb could not unpack {}", package.display());
    }
    Ok(())
}

/// Puts a script in the place of every program of a folder, which runs it with the prefix's own C library.
fn wrap_programs(prefix: &Path, programs: &Path) -> Result<()> {
    let loader = loader(prefix)?;
    let up = "../".repeat(programs.strip_prefix(prefix).map_or(0, |path| path.components().count()));
    let loader = loader.strip_prefix(prefix).unwrap_or(&loader).display().to_string();
    let libraries = Path::new(&loader).parent().unwrap_or(Path::new("")).display().to_string();
    for entry in fs::read_dir(programs).with_context(|| cannot("read", programs))? {
        let program = entry.with_context(|| cannot("read", programs))?.path();
        if !is_elf(&program)? {
            continue;
        }
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let script = format!(
            "#!/bin/sh\nhere=$(cd \"${{0%/*}}\" && pwd)\nprefix=$here/{up}\n\
             exec \"${{prefix}}{loader}\" --argv0 \"$here/{name}\" --library-path \"${{prefix}}{libraries}\" \
             \"$here/{name}.elf\" \"$@\"\n"
        );
        fs::rename(&program, folders::beside(&program, "elf")).with_context(|| cannot("rename", &program))?;
        fs::write(&program, script).with_context(|| cannot("write", &program))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).with_context(|| cannot("open", &program))?;
    }
    Ok(())
}

/// The loader of the prefix's C library, in the folder with the libraries: `usr/lib/TRIPLET/ld-linux-*.so.*`.
fn loader(prefix: &Path) -> Result<PathBuf> {
    let lib = prefix.join("usr/lib");
    let folders = fs::read_dir(&lib).with_context(|| cannot("read", &lib))?.flatten().map(|entry| entry.path());
    let files = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path());
    files
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux-")))
        .with_context(|| format!("no loader of a C library below {}", lib.display()))
}

fn is_elf(path: &Path) -> Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    let file = fs::File::open(path).with_context(|| cannot("read", path))?;
    file.take(4).read_to_end(&mut start).with_context(|| cannot("read", path))?;
    Ok(start == b"\x7fELF")
}

/// Runs a command to its end and gives what it printed, without the space around it.
pub(super) fn stdout_of(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{program} failed ({}):\n{}\n{}", output.status, out.trim(), err.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_is_found_in_both_forms_of_sources() {
        let one_line =
            "# deb http://old.example/debian x main\ndeb [arch=amd64] https://m.example/debian/ bookworm main";
        assert_eq!(mirror_in(one_line).as_deref(), Some("https://m.example/debian"));
        let stanza = "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\n";
        assert_eq!(mirror_in(stanza).as_deref(), Some("http://m.example/debian"));
        let list = "URIs: mirror+file:///etc/apt/mirrors/debian.list\n";
        assert_eq!(mirror_in(list).as_deref(), Some("mirror+file:///etc/apt/mirrors/debian.list"));
    }

    #[test]
    fn mirrors_of_others_are_not_taken() {
        assert_eq!(mirror_in("deb http://m.example/debian-security bookworm-security main"), None);
        assert_eq!(mirror_in("deb https://tools.example/apt stable main"), None);
    }
}
