//! TLS by OpenSSL, which librdkafka brings, so that a sink's probes and its producer read the same files alike.

use std::path::Path;
use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::settings::Given;
use crate::kafka::KafkaError;

/// What every connection to brokers is made by.
pub(super) struct Tls {
    connector: SslConnector,
    checks_name: bool,
    checks: bool,
}

impl Tls {
    /// # Errors
    /// A file that cannot be read, or a value that OpenSSL does not take.
    pub(super) fn new(given: &Given<'_>) -> Result<Self, KafkaError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| refused("TLS", &error))?;
        trust(&mut builder, given)?;
        identify(&mut builder, given)?;
        type Set = fn(&mut SslConnectorBuilder, &str) -> Result<(), ErrorStack>;
        let lists: [(&str, Set); 3] = [
            ("ssl.cipher.suites", |builder, list| builder.set_cipher_list(list)),
            ("ssl.curves.list", |builder, list| builder.set_groups_list(list)),
            ("ssl.sigalgs.list", |builder, list| builder.set_sigalgs_list(list)),
        ];
        for (name, set) in lists {
            if let Some(list) = given.text(name) {
                set(&mut builder, list).map_err(|_| KafkaError::RefusedOption(name.to_owned()))?;
            }
        }
        let checks = !given.is_off("enable.ssl.certificate.verification")?;
        if !checks {
            builder.set_verify(SslVerifyMode::NONE);
        }
        let checks_name = given.text("ssl.endpoint.identification.algorithm") != Some("none");
        Ok(Self { connector: builder.build(), checks_name, checks })
    }

    /// Speaks TLS over `stream` to the broker that is named `host`.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<SslStream<TcpStream>, String> {
        let configured = self.connector.configure().map_err(|error| error.to_string())?;
        let ssl = configured.verify_hostname(self.checks_name && self.checks).into_ssl(host);
        let mut stream = ssl.and_then(|ssl| SslStream::new(ssl, stream)).map_err(|error| error.to_string())?;
        match Pin::new(&mut stream).connect().await {
            Ok(()) => Ok(stream),
            Err(error) => {
                let verified = stream.ssl().verify_result();
                Err(match verified.as_raw() {
                    0 => error.to_string(),
                    _ => format!("the broker's certificate is not trusted: {}", verified.error_string()),
                })
            }
        }
    }
}

/// Whose certificates are taken.
fn trust(builder: &mut SslConnectorBuilder, given: &Given<'_>) -> Result<(), KafkaError> {
    if let Some(pem) = given.text("ssl.ca.pem") {
        let certificates = X509::stack_from_pem(pem.as_bytes()).map_err(|error| refused("ssl.ca.pem", &error))?;
        for certificate in certificates {
            builder.cert_store_mut().add_cert(certificate).map_err(|error| refused("ssl.ca.pem", &error))?;
        }
        return Ok(());
    }
    match given.text("ssl.ca.location") {
        Some(location) if location != "probe" => {
            let path = Path::new(location);
            let loaded =
                if path.is_dir() { builder.load_verify_locations(None, Some(path)) } else { builder.set_ca_file(path) };
            loaded.map_err(|error| refused("ssl.ca.location", &error))
        }
        _ => {
            let found = openssl_probe::probe();
            for (file, folder) in [(found.cert_file.as_deref(), None)]
                .into_iter()
                .chain(found.cert_dir.iter().map(|folder| (None, Some(folder.as_path()))))
            {
                if file.is_some() || folder.is_some() {
                    let loaded = builder.load_verify_locations(file, folder);
                    loaded.map_err(|error| refused("the system's certificates", &error))?;
                }
            }
            Ok(())
        }
    }
}

/// What we show when a broker asks who we are.
fn identify(builder: &mut SslConnectorBuilder, given: &Given<'_>) -> Result<(), KafkaError> {
    if let Some(location) = given.text("ssl.keystore.location") {
        let name = "ssl.keystore.location";
        let password = given.text("ssl.keystore.password").unwrap_or_default();
        let store = Pkcs12::from_der(&read(name, location)?).and_then(|store| store.parse2(password));
        let store = store.map_err(|error| refused(name, &error))?;
        if let Some(certificate) = &store.cert {
            builder.set_certificate(certificate).map_err(|error| refused(name, &error))?;
        }
        for certificate in store.ca.into_iter().flatten() {
            builder.add_extra_chain_cert(certificate).map_err(|error| refused(name, &error))?;
        }
        if let Some(key) = &store.pkey {
            builder.set_private_key(key).map_err(|error| refused(name, &error))?;
        }
    }
    if let Some((name, pem)) = pem(given, "ssl.certificate.pem", "ssl.certificate.location")? {
        let mut chain = X509::stack_from_pem(&pem).map_err(|error| refused(name, &error))?.into_iter();
        if let Some(own) = chain.next() {
            builder.set_certificate(&own).map_err(|error| refused(name, &error))?;
        }
        for certificate in chain {
            builder.add_extra_chain_cert(certificate).map_err(|error| refused(name, &error))?;
        }
    }
    if let Some((name, pem)) = pem(given, "ssl.key.pem", "ssl.key.location")? {
        let password = given.text("ssl.key.password").unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&pem, password.as_bytes());
        let key = key.map_err(|error| refused(name, &error))?;
        builder.set_private_key(&key).map_err(|error| refused(name, &error))?;
    }
    Ok(())
}

/// What stands in the setting `inline`, or in the file that `file` names; with the setting's name.
fn pem<'n>(given: &Given<'_>, inline: &'n str, file: &'n str) -> Result<Option<(&'n str, Vec<u8>)>, KafkaError> {
    if let Some(pem) = given.text(inline) {
        return Ok(Some((inline, pem.as_bytes().to_vec())));
    }
    given.text(file).map(|path| read(file, path).map(|pem| (file, pem))).transpose()
}

fn read(name: &str, path: &str) -> Result<Vec<u8>, KafkaError> {
    std::fs::read(path).map_err(|error| KafkaError::Options(format!("the file of `{name}` cannot be read: {error}")))
}

/// OpenSSL's reasons name no values.
fn refused(name: &str, error: &ErrorStack) -> KafkaError {
    let reason = error.errors().last().and_then(|error| error.reason()).unwrap_or("not readable");
    KafkaError::Options(format!("`{name}` is not taken by OpenSSL: {reason}"))
}
