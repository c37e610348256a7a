//! Keys and unguessable texts: what signs id tokens and notifications, and what tokens are made of.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An RSA key with its key id, for what a mock signs. Clones share the key.
///
/// ```
/// use atlas_connectors::testkit::server::{SigningKey, jwks};
///
/// let key = SigningKey::first().expect("an RSA key");
/// let token = key.sign(&serde_json::json!({"iss": "http://127.0.0.1/idp", "sub": "1"}));
/// assert_eq!(token.split('.').count(), 3);
/// assert_eq!(jwks([&key])["keys"][0]["kid"], key.kid());
/// ```
#[derive(Clone, Debug)]
pub struct SigningKey {
    kid: String,
    pair: Arc<KeyPair>,
}

impl SigningKey {
    /// The first key: made once in a process, because making one costs as much as many tests. `None` if the library cannot make one.
    pub fn first() -> Option<Self> {
        static FIRST: OnceLock<Option<SigningKey>> = OnceLock::new();
        FIRST.get_or_init(Self::generate).clone()
    }

    /// A new key of 2,048 bits; `None` if the library cannot make one.
    pub fn generate() -> Option<Self> {
        let pair = Arc::new(KeyPair::generate(KeySize::Rsa2048).ok()?);
        Some(Self { kid: random(20), pair })
    }

    /// The key id, as tokens and the JWKS name it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as an entry of a JWKS.
    pub fn jwk(&self) -> Value {
        let (modulus, exponent) = public_numbers(self.pair.public_key().as_ref()).unwrap_or_default();
        json!({
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(modulus),
            "e": URL_SAFE_NO_PAD.encode(exponent),
        })
    }

    /// A JWT of these claims, signed with RS256.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": self.kid, "typ": "JWT"});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        // An empty signature is what a verifier must refuse anyway.
        if self
            .pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .is_err()
        {
            signature.clear();
        }
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The document that publishes these keys at a provider's `jwks_uri`.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Value {
    let keys: Vec<Value> = keys.into_iter().map(SigningKey::jwk).collect();
    json!({ "keys": keys })
}

/// A random text of this many base64url characters, fit for tokens and codes of a mock.
pub fn random(characters: usize) -> String {
    let mut bytes = vec![0; characters];
    crate::random::fill(&mut bytes);
    let mut text = URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(characters);
    text
}

/// Modulus and exponent out of an `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn public_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (modulus, rest) = element(sequence, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    Some((unsigned(modulus), unsigned(exponent)))
}

fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        (
            bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)),
            rest,
        )
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

fn unsigned(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_token_verifies_with_the_published_key() {
        let key = SigningKey::first().unwrap();
        let token = key.sign(&json!({"aud": "a", "exp": 4_000_000_000_u64}));
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.jwk()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        rules.set_audience(&["a"]);
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        assert!(jsonwebtoken::decode::<Value>(&token, &decoding, &rules).is_ok());
        let other = SigningKey::generate().unwrap();
        let forged = other.sign(&json!({"aud": "a", "exp": 4_000_000_000_u64}));
        assert!(jsonwebtoken::decode::<Value>(&forged, &decoding, &rules).is_err());
    }
}
