//! Apache Kafka: one broker that is its own controller (KRaft), from the jars of Maven's repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::folders::{self, cannot};
use super::port;
use super::process::{ProcessId, Signal};
use super::requirements::{Requirement, java};
use super::server::{Recipe, Server};

/// A Kafka broker.
pub type Kafka = Server<KafkaRecipe>;

/// Settings of a broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaRecipe {
    /// Whether Java's optimising compiler is on: a slower start and more memory, for runs under load.
    pub full_jit: bool,
}

/// Also in `pom.xml`, which a test compares. 4.4.0 is incomplete in Maven's repository.
const VERSION: &str = "4.3.1";
const POM: &str = include_str!("kafka/pom.xml");
const LOG4J: &str = include_str!("kafka/log4j2.properties");
const LOG4J_TOOLS: &str = include_str!("kafka/log4j2-tools.properties");
const COPY_DEPENDENCIES: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Printed once the broker is unfenced. An open port says less.
const READY: &str = "Kafka Server started";
const BOOTSTRAP: &str = "bootstrap.checkpoint";

impl Kafka {
    /// The bootstrap servers, for `KAFKA_BROKERS`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }
}

impl KafkaRecipe {
    /// One of Kafka's own command line tools (`kafka-topics`, `kafka-console-producer`, ...), without arguments.
    ///
    /// # Errors
    /// When there is no tool of this name, or Kafka cannot be downloaded.
    pub fn tool(name: &str) -> Result<Command> {
        let class = match name {
            "kafka-acls" => "org.apache.kafka.tools.AclCommand",
            "kafka-configs" => "kafka.admin.ConfigCommand",
            "kafka-topics" => "org.apache.kafka.tools.TopicCommand",
            "kafka-console-producer" => "org.apache.kafka.tools.ConsoleProducer",
            "kafka-console-consumer" => "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "kafka-consumer-groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            "kafka-producer-perf-test" => "org.apache.kafka.tools.ProducerPerformance",
            _ => bail!("there is no Kafka tool `{name}`"),
        };
        Self::default().install()?;
        let mut command = jvm(&home()?, "log4j2-tools.properties", false);
        command.arg(class);
        Ok(command)
    }
}

impl Recipe for KafkaRecipe {
    const NAME: &'static str = "kafka";
    const STOP: Signal = Signal::Terminate;

    fn install(&self) -> Result<()> {
        Requirement::check(&[Requirement::Java])?;
        let home = home()?;
        if home.exists() {
            return Ok(());
        }
        let _lock = folders::lock("kafka")?;
        if home.exists() {
            return Ok(());
        }
        Requirement::check(&[Requirement::Maven])?;
        eprintln!("downloading Kafka {VERSION} ...");
        // Made whole under another name, so that what carries the name is whole.
        let unfinished = folders::beside(&home, "unfinished");
        download(&unfinished)?;
        format_template(&unfinished)?;
        fs::rename(&unfinished, &home).with_context(|| cannot("make", &home))
    }

    fn prepare(&self, folder: &Path, port: u16) -> Result<()> {
        let data = folder.join("data");
        fs::create_dir_all(&data).with_context(|| cannot("make", &data))?;
        // What `kafka-storage format` would write, without waiting for another JVM.
        let meta = format!("version=1\ncluster.id={}\nnode.id=1\ndirectory.id={}\n", random_id(), random_id());
        write(&data.join("meta.properties"), &meta)?;
        let bootstrap = home()?.join(BOOTSTRAP);
        fs::copy(&bootstrap, data.join(BOOTSTRAP)).with_context(|| cannot("copy", &bootstrap))?;
        write(&folder.join("server.properties"), &server_properties(&data, port, port::free()?))
    }

    fn command(&self, folder: &Path, _port: u16) -> Result<Command> {
        let mut command = jvm(&home()?, "log4j2.properties", self.full_jit);
        command.arg("kafka.Kafka").arg(folder.join("server.properties")).current_dir(folder);
        Ok(command)
    }

    fn is_ready(&self, folder: &Path, _port: u16, _process: ProcessId) -> bool {
        fs::read(folder.join("log")).is_ok_and(|log| String::from_utf8_lossy(&log).contains(READY))
    }
}

/// The folder of this version; its name changes with the list of jars.
fn home() -> Result<PathBuf> {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(POM);
    Ok(folders::downloads()?.join(format!("kafka-{VERSION}-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])))
}

fn download(home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| cannot("delete", home))?;
    }
    fs::create_dir_all(home).with_context(|| cannot("make", home))?;
    write(&home.join("pom.xml"), POM)?;
    write(&home.join("log4j2.properties"), LOG4J)?;
    write(&home.join("log4j2-tools.properties"), LOG4J_TOOLS)?;
    let output = Command::new("mvn")
        .args(["-B", "-q", "-f"])
        .arg(home.join("pom.xml"))
        .args([COPY_DEPENDENCIES, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", home.join("jars").display()))
        .output()
        .context("cannot run mvn")?;
    if !output.status.success() {
        bail!("Maven could not download Kafka:\n{}", String::from_utf8_lossy(&output.stdout).trim());
    }
    Ok(())
}

/// Formats storage once, and keeps the one file of it that is not trivial: the features that a new cluster starts with.
fn format_template(home: &Path) -> Result<()> {
    let data = home.join("template");
    let properties = home.join("template.properties");
    write(&properties, &server_properties(&data, 9092, 9093))?;
    let output = jvm(home, "log4j2-tools.properties", false)
        .args(["kafka.tools.StorageTool", "format", "-t", &random_id(), "-c"])
        .arg(&properties)
        .output()
        .context("cannot run java")?;
    if !output.status.success() {
        bail!("Kafka could not format its storage:\n{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let bootstrap = data.join(BOOTSTRAP);
    fs::rename(&bootstrap, home.join(BOOTSTRAP)).with_context(|| cannot("move", &bootstrap))
}

fn jvm(home: &Path, log4j: &str, full_jit: bool) -> Command {
    let mut command = Command::new(java());
    command.args(["-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true"]);
    match full_jit {
        true => command.args(["-Xms64m", "-Xmx512m"]),
        false => command.args(["-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1"]),
    };
    command.arg(format!("-Dlog4j2.configurationFile=file:{}", home.join(log4j).display()));
    command.arg("-cp").arg(home.join("jars/*"));
    command
}

fn server_properties(data: &Path, port: u16, controller_port: u16) -> String {
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
# One broker: every internal topic has one replica, and few partitions.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=8
# A group forms at once, and a killed broker is back without waiting nine seconds for its old session.
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
log.cleaner.dedupe.buffer.size=16777216
",
        data = data.display()
    )
}

/// 16 random bytes as Kafka writes an id: 22 characters of URL-safe base64. No `-` in it, so that no tool takes it
/// for an option.
fn random_id() -> String {
    const ALPHABET: &[u8; 63] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    let pick = |letters: &[u8]| letters[(port::random() % letters.len() as u64) as usize] as char;
    // The last character has the last two of 128 bits.
    (0..21).map(|_| pick(ALPHABET)).chain([pick(b"AQgw")]).collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| cannot("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pom_asks_for_the_version_that_the_folder_is_named_after() {
        assert_eq!(POM.matches(&format!("<version>{VERSION}</version>")).count(), 2);
    }

    #[test]
    fn ids_are_22_characters_and_differ() {
        let (one, other) = (random_id(), random_id());
        assert_eq!(one.len(), 22);
        assert_ne!(one, other);
    }
}
