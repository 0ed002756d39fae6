//! A second way into a test's own broker: a listener where the user `ann` logs in by password and may read everything or nothing, or one
//! by TLS. Whoever comes by the broker's own listener may do anything.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use xtask::services::{Kafka, KafkaRecipe};

/// How `ann` may log in by TLS.
pub const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

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
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let also = if may_read { ";User:ann" } else { "" };
        let access = format!(
            "sasl.enabled.mechanisms=PLAIN\n\
             listener.name.sasl_plaintext.plain.sasl.jaas.config={login} required user_ann=\"{password}\";\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS{also}\n"
        );
        self.restart(kafka, "SASL_PLAINTEXT", &access)
    }

    /// Makes it a listener by TLS where whoever shows the certificate of the answer logs in as `ann` with this password by any of
    /// [`MECHANISMS`], and restarts the broker.
    ///
    /// # Errors
    /// When the broker does not start.
    pub fn secure(&self, kafka: &mut Kafka, password: &str) -> Result<Papers> {
        let own = kafka.folder().join("own.pem");
        let (broker, key) = certificate().context("a certificate can be made")?;
        fs::write(&own, [key.private_key_to_pem_pkcs8()?, broker.to_pem()?].concat())?;
        let papers = Papers::write(kafka.folder(), &broker, password)?;
        let (own, shown) = (own.display(), papers.certificate.display());
        let security = "org.apache.kafka.common.security";
        let name = "listener.name.sasl_ssl";
        let access = format!(
            "sasl.enabled.mechanisms={}\n\
             {name}.ssl.keystore.type=PEM\n\
             {name}.ssl.keystore.location={own}\n\
             {name}.ssl.client.auth=required\n\
             {name}.ssl.truststore.type=PEM\n\
             {name}.ssl.truststore.location={shown}\n\
             {name}.plain.sasl.jaas.config={security}.plain.PlainLoginModule required user_ann=\"{password}\";\n\
             {name}.scram-sha-256.sasl.jaas.config={security}.scram.ScramLoginModule required;\n\
             {name}.scram-sha-512.sasl.jaas.config={security}.scram.ScramLoginModule required;\n",
            MECHANISMS.join(",")
        );
        self.restart(kafka, "SASL_SSL", &access)?;
        // Two at once are refused.
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mut tool = KafkaRecipe::tool("kafka-configs")?;
            tool.args(["--bootstrap-server", &kafka.brokers(), "--alter", "--entity-type", "users"]);
            tool.args(["--entity-name", "ann", "--add-config", &format!("{mechanism}=[password={password}]")]);
            let output = tool.output().context("cannot run kafka-configs")?;
            ensure!(output.status.success(), "kafka-configs: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(papers)
    }

    fn restart(&self, kafka: &mut Kafka, protocol: &str, access: &str) -> Result<()> {
        let listener = format!("{protocol}://{}", self.brokers());
        let properties: String = self
            .plain
            .lines()
            .map(|line| match line.split_once('=') {
                Some(("listeners" | "advertised.listeners", _)) => format!("{line},{listener}\n"),
                Some(("listener.security.protocol.map", _)) => format!("{line},{protocol}:{protocol}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        fs::write(&self.file, properties + access).context("the broker's settings can be written")?;
        // Quicker than to stop it.
        kafka.kill()?;
        kafka.restart()
    }
}

/// What a client needs to come by TLS: files in PEM but for `keystore`.
pub struct Papers {
    /// The certificate of the broker, which is to be trusted.
    pub trusted: PathBuf,
    /// The client's own.
    pub certificate: PathBuf,
    /// The key to it, under a password.
    pub key: PathBuf,
    /// Both in PKCS#12, under the same password.
    pub keystore: PathBuf,
}

impl Papers {
    fn write(folder: &Path, broker: &X509, password: &str) -> Result<Self> {
        let [trusted, certificate, key, keystore] =
            ["trusted.pem", "client.pem", "client.key", "client.p12"].map(|name| folder.join(name));
        let (own, own_key) = self::certificate().context("a certificate can be made")?;
        fs::write(&trusted, broker.to_pem()?)?;
        fs::write(&certificate, own.to_pem()?)?;
        let encrypted = own_key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes())?;
        fs::write(&key, encrypted)?;
        let store = Pkcs12::builder().name("client").pkey(&own_key).cert(&own).build2(password)?;
        fs::write(&keystore, store.to_der()?)?;
        Ok(Self { trusted, certificate, key, keystore })
    }
}

/// A certificate of 127.0.0.1 by itself, and its key.
fn certificate() -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("CN", "a broker of tests")?;
    let name = name.build();
    let mut made = X509::builder()?;
    made.set_version(2)?;
    made.set_serial_number(&*BigNum::from_u32(1)?.to_asn1_integer()?)?;
    made.set_subject_name(&name)?;
    made.set_issuer_name(&name)?;
    made.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    made.set_not_after(&*Asn1Time::days_from_now(2)?)?;
    made.set_pubkey(&key)?;
    made.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    let address = SubjectAlternativeName::new().ip("127.0.0.1").build(&made.x509v3_context(None, None))?;
    made.append_extension(address)?;
    made.sign(&key, MessageDigest::sha256())?;
    Ok((made.build(), key))
}
