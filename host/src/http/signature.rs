//! Signatures by the [Standard Webhooks](https://www.standardwebhooks.com) specification: HMAC-SHA-256 over
//! `webhook-id.webhook-timestamp.body`, in base64 behind `v1,`. A receiver computes the same over the body's bytes as they came,
//! compares in constant time, and refuses timestamps that are minutes away from its own clock.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The least bytes of a secret: less could be guessed.
pub const SECRET_BYTES_MIN: usize = 16;

/// What a secret of base64 begins with.
const PREFIX: &str = "whsec_";

/// A key that is shared with a receiver. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// The key that `secret` stands for: `whsec_` and base64, or any other text as it is.
    ///
    /// # Errors
    /// What is wrong with it, in words that go on after its name.
    pub fn of(secret: &str) -> Result<Self, String> {
        let key = match secret.strip_prefix(PREFIX) {
            Some(base64) => STANDARD.decode(base64).map_err(|_| format!("is no base64 behind {PREFIX}"))?,
            None => secret.as_bytes().to_vec(),
        };
        if key.len() < SECRET_BYTES_MIN {
            return Err(format!(
                "has {} bytes, and at least {SECRET_BYTES_MIN} are needed (make one with `openssl rand -base64 32`)",
                key.len()
            ));
        }
        Ok(Self(key))
    }

    /// The value of the header `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signature_is_that_of_the_specification() {
        let key = SigningKey::of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secret_is_base64_with_a_prefix_or_text_and_not_too_short() {
        assert_eq!(SigningKey::of("0123456789abcdef").unwrap().0, b"0123456789abcdef");
        assert!(SigningKey::of("0123456789abcde").unwrap_err().contains("15 bytes"));
        assert!(SigningKey::of("whsec_AAAA").unwrap_err().contains("3 bytes"));
        assert!(SigningKey::of("whsec_not base64").unwrap_err().contains("no base64"));
        assert_eq!(format!("{:?}", SigningKey::of("0123456789abcdef").unwrap()), "***");
    }
}
