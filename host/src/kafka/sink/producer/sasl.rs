//! Who we are: SASL PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), from our side.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};

use crate::config::{Mechanism, SaslConfig};

/// Iterations that a broker may ask for: more would keep a thread busy for seconds.
const ITERATIONS: std::ops::RangeInclusive<u32> = 1..=1_000_000;

/// The single message of PLAIN.
pub(super) fn plain(sasl: &SaslConfig) -> Vec<u8> {
    [b"\0", sasl.username.as_bytes(), b"\0", sasl.password.reveal().as_bytes()].concat()
}

/// A conversation by SCRAM.
pub(super) struct Scram<'s> {
    sasl: &'s SaslConfig,
    /// The first message, without its header.
    first: String,
    nonce: String,
    /// By which the broker proves itself, once it is known.
    signature: Vec<u8>,
}

impl<'s> Scram<'s> {
    /// `nonce` is a text that no other conversation has, without commas.
    pub(super) fn new(sasl: &'s SaslConfig, nonce: String) -> Self {
        let name = sasl.username.replace('=', "=3D").replace(',', "=2C");
        Self { sasl, first: format!("n={name},r={nonce}"), nonce, signature: Vec::new() }
    }

    /// Our first message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.first).into_bytes()
    }

    /// Our second message, as an answer to the broker's first.
    ///
    /// # Errors
    /// A sentence: it is no answer to ours.
    pub(super) fn second(&mut self, answer: &[u8]) -> Result<Vec<u8>, String> {
        match self.sasl.mechanism {
            Mechanism::ScramSha512 => self.prove::<Hmac<Sha512>, Sha512>(answer),
            _ => self.prove::<Hmac<Sha256>, Sha256>(answer),
        }
    }

    fn prove<M: Mac + hmac::digest::KeyInit, D: Digest>(&mut self, answer: &[u8]) -> Result<Vec<u8>, String> {
        let broken = || "the broker's answer is none of SCRAM".to_owned();
        let text = str::from_utf8(answer).map_err(|_| broken())?;
        let part = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name)).ok_or_else(broken);
        let (nonce, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
        let salt = BASE64.decode(salt).map_err(|_| broken())?;
        let iterations = iterations.parse().ok().filter(|count| ITERATIONS.contains(count)).ok_or_else(broken)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker's answer belongs to another conversation".to_owned());
        }
        let salted = salted::<M>(self.sasl.password.reveal().as_bytes(), &salt, iterations);
        let client_key = sign::<M>(&salted, b"Client Key");
        let last = format!("c=biws,r={nonce}");
        let all = format!("{},{text},{last}", self.first);
        let mut proof = sign::<M>(&D::digest(&client_key), all.as_bytes());
        proof.iter_mut().zip(&client_key).for_each(|(proof, key)| *proof ^= key);
        self.signature = sign::<M>(&sign::<M>(&salted, b"Server Key"), all.as_bytes());
        Ok(format!("{last},p={}", BASE64.encode(proof)).into_bytes())
    }

    /// Whether the broker's last message proves that it knows the password too.
    ///
    /// # Errors
    /// A sentence: it does not.
    pub(super) fn check(&self, answer: &[u8]) -> Result<(), String> {
        let signature = answer.strip_prefix(b"v=").and_then(|text| {
            let end = text.iter().position(|byte| *byte == b',').unwrap_or(text.len());
            BASE64.decode(&text[..end]).ok()
        });
        if signature.is_some_and(|signature| !signature.is_empty() && signature == self.signature) {
            return Ok(());
        }
        Err("the broker does not prove that it knows the password".to_owned())
    }
}

fn sign<M: Mac + hmac::digest::KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = <M as Mac>::new_from_slice(key).expect("keys of any length are taken");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// PBKDF2 (RFC 8018) of one block.
fn salted<M: Mac + hmac::digest::KeyInit>(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut block = sign::<M>(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut all = block.clone();
    for _ in 1..iterations {
        block = sign::<M>(password, &block);
        all.iter_mut().zip(&block).for_each(|(all, byte)| *all ^= byte);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn sasl() -> SaslConfig {
        let (username, password) = ("user".to_owned(), Secret::new("pencil"));
        SaslConfig { mechanism: Mechanism::ScramSha256, username, password }
    }

    /// The example of RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn conversation_is_that_of_the_standard() {
        let sasl = sasl();
        let mut scram = Scram::new(&sasl, NONCE.to_owned());
        assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let second = scram.second(SERVER_FIRST).unwrap();
        assert_eq!(
            str::from_utf8(&second).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(scram.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(scram.check(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
    }

    #[test]
    fn answer_that_is_none_is_refused() {
        let sasl = sasl();
        let refused = |answer: &[u8]| Scram::new(&sasl, NONCE.to_owned()).second(answer).is_err();
        assert!(refused(b"") && refused(b"\xff") && refused(b"e=other-error"));
        assert!(refused(b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        assert!(refused(b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), "the broker adds nothing");
        assert!(refused(b"r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000"));
        assert!(Scram::new(&sasl, NONCE.to_owned()).check(b"v=").is_err(), "before there is a signature");
    }

    #[test]
    fn names_with_commas_are_escaped() {
        let sasl = SaslConfig { username: "a=b,c".to_owned(), ..sasl() };
        assert_eq!(Scram::new(&sasl, "x".to_owned()).first(), b"n,,n=a=3Db=2Cc,r=x");
    }
}
