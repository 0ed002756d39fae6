//! A second way into a test's own broker: a listener where the user `ann` logs in by password and may read everything or nothing.
//! Whoever comes by the broker's own listener may do anything.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xtask::services::{Kafka, KafkaRecipe};

/// The listener. It is there once [`Door::set`] has been called.
pub struct Door {
    port: u16,
    file: PathBuf,
    /// The broker's settings without the listener.
    plain: String,
}

impl Door {
    /// A door to this broker.
    ///
    /// # Errors
    /// When the broker's settings cannot be read, or no port is free.
    pub fn to(kafka: &Kafka) -> Result<Self> {
        let file = kafka.folder().join("server.properties");
        let plain = fs::read_to_string(&file).context("the broker has settings")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self { port, file, plain })
    }

    /// Its address, as `brokers` of a source.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The options of a source that comes by it.
    pub fn options(password: &str) -> [(&'static str, &str); 4] {
        [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "ann"),
            ("sasl.password", password),
        ]
    }

    /// Lets `ann`, who may do nothing else, do this to a topic, or no more: an operation such as `Write`, which includes `Describe`.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn permit(kafka: &Kafka, operation: &str, topic: &str, allowed: bool) -> Result<()> {
        let change = if allowed { "--add" } else { "--remove" };
        let mut tool = KafkaRecipe::tool("kafka-acls")?;
        tool.args(["--bootstrap-server", &kafka.brokers(), change, "--force", "--allow-principal", "User:ann"]);
        let output =
            tool.args(["--operation", operation, "--topic", topic]).output().context("cannot run kafka-acls")?;
        ensure!(output.status.success(), "kafka-acls: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Gives `ann` a password and all rights or none, and restarts the broker.
    ///
    /// # Errors
    /// When the broker does not start.
    pub fn set(&self, kafka: &mut Kafka, password: &str, may_read: bool) -> Result<()> {
        let listener = format!("SASL_PLAINTEXT://{}", self.brokers());
        let properties: String = self
            .plain
            .lines()
            .map(|line| match line.split_once('=') {
                Some(("listeners" | "advertised.listeners", _)) => format!("{line},{listener}\n"),
                Some(("listener.security.protocol.map", _)) => format!("{line},SASL_PLAINTEXT:SASL_PLAINTEXT\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let also = if may_read { ";User:ann" } else { "" };
        let access = format!(
            "sasl.enabled.mechanisms=PLAIN\n\
             listener.name.sasl_plaintext.plain.sasl.jaas.config={login} required user_ann=\"{password}\";\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS{also}\n"
        );
        fs::write(&self.file, properties + &access).context("the broker's settings can be written")?;
        // Quicker than to stop it.
        kafka.kill()?;
        kafka.restart()
    }
}
