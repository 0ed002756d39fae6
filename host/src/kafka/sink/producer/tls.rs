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

use crate::config::{Pem, Secret, TlsConfig};
use crate::kafka::KafkaError;

/// What every connection to brokers is made by.
pub(super) struct Tls {
    connector: SslConnector,
    checks_name: bool,
}

impl Tls {
    /// # Errors
    /// A file that cannot be read, or a value that OpenSSL does not take.
    pub(super) fn new(config: &TlsConfig) -> Result<Self, KafkaError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| refused("TLS", &error))?;
        trust(&mut builder, config.authorities.as_ref())?;
        identify(&mut builder, config)?;
        type Set = fn(&mut SslConnectorBuilder, &str) -> Result<(), ErrorStack>;
        let lists: [(&str, &Option<String>, Set); 3] = [
            ("ssl.cipher.suites", &config.ciphers, |builder, list| builder.set_cipher_list(list)),
            ("ssl.curves.list", &config.curves, |builder, list| builder.set_groups_list(list)),
            ("ssl.sigalgs.list", &config.signatures, |builder, list| builder.set_sigalgs_list(list)),
        ];
        for (name, list, set) in lists {
            if let Some(list) = list {
                set(&mut builder, list).map_err(|error| refused(name, &error))?;
            }
        }
        if !config.checks_certificate {
            builder.set_verify(SslVerifyMode::NONE);
        }
        Ok(Self { connector: builder.build(), checks_name: config.checks_certificate && config.checks_name })
    }

    /// Speaks TLS over `stream` to the broker that is named `host`.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<SslStream<TcpStream>, String> {
        let configured = self.connector.configure().map_err(|error| error.to_string())?;
        let ssl = configured.verify_hostname(self.checks_name).into_ssl(host);
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
fn trust(builder: &mut SslConnectorBuilder, authorities: Option<&Pem>) -> Result<(), KafkaError> {
    match authorities {
        Some(Pem::Inline(pem)) => {
            let certificates = X509::stack_from_pem(pem.reveal().as_bytes());
            let mut added = certificates.map(Vec::into_iter).map_err(|error| refused("ssl.ca.pem", &error))?;
            added
                .try_for_each(|certificate| builder.cert_store_mut().add_cert(certificate))
                .map_err(|error| refused("ssl.ca.pem", &error))
        }
        Some(Pem::File(path)) => {
            let loaded =
                if path.is_dir() { builder.load_verify_locations(None, Some(path)) } else { builder.set_ca_file(path) };
            loaded.map_err(|error| refused("ssl.ca.location", &error))
        }
        None => {
            let found = openssl_probe::probe();
            let files = found.cert_file.iter().map(|file| (Some(file.as_path()), None));
            let folders = found.cert_dir.iter().map(|folder| (None, Some(folder.as_path())));
            files
                .chain(folders)
                .try_for_each(|(file, folder)| builder.load_verify_locations(file, folder))
                .map_err(|error| refused("the system's certificates", &error))
        }
    }
}

/// What we show when a broker asks who we are.
fn identify(builder: &mut SslConnectorBuilder, config: &TlsConfig) -> Result<(), KafkaError> {
    if let Some(path) = &config.keystore {
        let name = "ssl.keystore.location";
        let password = config.keystore_password.as_ref().map(Secret::reveal).unwrap_or_default();
        let store = Pkcs12::from_der(&read(name, path)?).and_then(|store| store.parse2(password));
        let store = store.map_err(|error| refused(name, &error))?;
        let chain = store.cert.into_iter().chain(store.ca.into_iter().flatten());
        show(builder, chain).map_err(|error| refused(name, &error))?;
        if let Some(key) = &store.pkey {
            builder.set_private_key(key).map_err(|error| refused(name, &error))?;
        }
    }
    if let Some((name, pem)) = pem(config.certificate.as_ref(), "ssl.certificate.pem", "ssl.certificate.location")? {
        let chain = X509::stack_from_pem(&pem);
        chain.and_then(|chain| show(builder, chain)).map_err(|error| refused(name, &error))?;
    }
    if let Some((name, pem)) = pem(config.key.as_ref(), "ssl.key.pem", "ssl.key.location")? {
        let password = config.key_password.as_ref().map(Secret::reveal).unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&pem, password.as_bytes());
        key.and_then(|key| builder.set_private_key(&key)).map_err(|error| refused(name, &error))?;
    }
    Ok(())
}

/// Shows a certificate and those between it and an authority.
fn show(builder: &mut SslConnectorBuilder, chain: impl IntoIterator<Item = X509>) -> Result<(), ErrorStack> {
    let mut chain = chain.into_iter();
    if let Some(own) = chain.next() {
        builder.set_certificate(&own)?;
    }
    chain.try_for_each(|certificate| builder.add_extra_chain_cert(certificate))
}

/// The bytes of `pem`, with the name of the setting that it is of.
fn pem<'n>(pem: Option<&Pem>, inline: &'n str, file: &'n str) -> Result<Option<(&'n str, Vec<u8>)>, KafkaError> {
    match pem {
        None => Ok(None),
        Some(Pem::Inline(pem)) => Ok(Some((inline, pem.reveal().as_bytes().to_vec()))),
        Some(Pem::File(path)) => Ok(Some((file, read(file, path)?))),
    }
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, KafkaError> {
    std::fs::read(path).map_err(|error| KafkaError::Options(format!("the file of `{name}` cannot be read: {error}")))
}

/// OpenSSL's reasons name no values.
fn refused(name: &str, error: &ErrorStack) -> KafkaError {
    let reason = error.errors().last().and_then(|error| error.reason()).unwrap_or("not readable");
    KafkaError::Options(format!("`{name}` is not taken by OpenSSL: {reason}"))
}
