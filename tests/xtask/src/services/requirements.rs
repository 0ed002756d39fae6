//! What the machine must bring, each with a sentence that says how to get it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

/// A program that is expected on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// A C compiler, which librdkafka and SQLite are built with.
    CCompiler,
    /// `make`, which librdkafka and OpenSSL are built with.
    Make,
    /// `perl`, which OpenSSL is configured with.
    Perl,
    /// A Java runtime of version 17 or later, which Kafka runs on.
    Java,
    /// Maven, which downloads Kafka.
    Maven,
    /// `apt-get`, which downloads PostgreSQL and TimescaleDB.
    Apt,
    /// `dpkg-deb`, which unpacks them.
    DpkgDeb,
    /// `tar`, which unpacks them.
    Tar,
    /// `npm` of Node.js, which builds plugins in JavaScript.
    Node,
    /// `python3`, which builds plugins in Python.
    Python,
}

/// The oldest Java that Kafka 4 runs on.
const JAVA_VERSION_MIN: u32 = 17;

impl Requirement {
    /// What building the native workspace needs beside Rust.
    pub const TO_BUILD: &[Self] = &[Self::CCompiler, Self::Make, Self::Perl];

    /// Fails with one sentence for each of these that is missing.
    ///
    /// # Errors
    /// When one is missing.
    pub fn check(all: &[Self]) -> Result<()> {
        let missing: Vec<String> = all.iter().filter_map(|one| one.complaint()).collect();
        if !missing.is_empty() {
            bail!("{}", missing.join("\n"));
        }
        Ok(())
    }

    fn complaint(self) -> Option<String> {
        let (program, purpose, package) = match self {
            Self::CCompiler => ("cc", "a C compiler builds librdkafka and SQLite", "build-essential"),
            Self::Make => ("make", "make builds librdkafka", "build-essential"),
            Self::Perl => ("perl", "perl configures OpenSSL for its build", "perl"),
            Self::Java => return java_complaint(),
            Self::Maven => ("mvn", "Maven downloads Kafka", "maven"),
            Self::Apt => return on_path("apt-get").is_none().then(|| not_debian("apt-get")),
            Self::DpkgDeb => return on_path("dpkg-deb").is_none().then(|| not_debian("dpkg-deb")),
            Self::Tar => ("tar", "tar unpacks PostgreSQL", "tar"),
            Self::Node => ("npm", "npm builds plugins in JavaScript", "npm"),
            Self::Python => ("python3", "Python builds plugins in Python", "python3-venv"),
        };
        on_path(program).is_none().then(|| {
            format!("`{program}` is missing ({purpose}): install it, on Debian by `apt-get install {package}`")
        })
    }
}

/// The `java` to use: that of `JAVA_HOME`, else the one on the path.
pub(super) fn java() -> PathBuf {
    match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

/// Where a program is found on the path, as a shell would; also in the folders of system programs.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0))
}

fn java_complaint() -> Option<String> {
    let install = "install a JRE, on Debian by `apt-get install openjdk-17-jre-headless`, or set JAVA_HOME";
    let Ok(output) = Command::new(java()).arg("-version").output() else {
        return Some(format!("`java` is missing (Kafka runs on it): {install}"));
    };
    match java_version(&String::from_utf8_lossy(&output.stderr)) {
        Some(version) if version >= JAVA_VERSION_MIN => None,
        Some(version) => Some(format!("Java {version} is too old, Kafka needs {JAVA_VERSION_MIN}: {install}")),
        None => Some(format!("`java -version` says no version (Kafka runs on it): {install}")),
    }
}

/// The major version in `openjdk version "17.0.15" ...`; of `"1.8.0"` it is 8.
fn java_version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut parts = quoted.split(['.', '-', '+']).map(str::parse);
    match parts.next()?.ok()? {
        1 => parts.next()?.ok(),
        major => Some(major),
    }
}

fn not_debian(program: &str) -> String {
    format!(
        "`{program}` is missing (TimescaleDB comes from Debian's packages): on another Linux start it by \
         `docker compose up -d` and set DATABASE_URL"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_version_is_read_in_old_and_new_form() {
        assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(java_version("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(java_version("openjdk version \"25-ea\" 2025-09-16"), Some(25));
        assert_eq!(java_version("java version \"1.8.0_402\""), Some(8));
        assert_eq!(java_version("command not found"), None);
    }

    #[test]
    fn what_is_there_is_not_complained_about() {
        assert_eq!(on_path("sh").map(|file| file.ends_with("sh")), Some(true));
        assert_eq!(on_path("no-such-program-here"), None);
    }
}
