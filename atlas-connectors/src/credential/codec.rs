//! The bytes inside the envelope: JSON whose secrets are base64, so that no parser has a reason to copy them into a
//! scratch buffer that nobody zeroizes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::grant::{EndedGrant, OAuthGrant};
use super::kind::{ApiKey, Basic, ClientCertificate, ClientCredentials, Credential};
use crate::clock::Timestamp;
use crate::error::{AccountState, Error, GrantEnd, Result, StorageFault};
use crate::oauth::ScopeSet;

/// The clear bytes of a credential, in a buffer that is made once and zeroized when dropped.
pub(super) fn encode(credential: &Credential) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |_| Error::new(StorageFault::Corrupt, "credential.encode");
    let wire = Wire::from(credential);
    let mut length = Length(0);
    serde_json::to_writer(&mut length, &wire).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *bytes, &wire).map_err(failed)?;
    Ok(bytes)
}

/// Reads what [`encode`] wrote. A kind of a newer version is `StorageFault::Schema`.
pub(super) fn decode(bytes: &[u8]) -> Result<Credential> {
    // The parser's message may quote what it read, so it is not kept.
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| {
        let fault = match error.classify() {
            serde_json::error::Category::Data => StorageFault::Schema,
            _ => StorageFault::Corrupt,
        };
        Error::new(fault, "credential.decode")
    })?;
    Ok(wire.into())
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire {
    #[serde(rename = "oauth")]
    OAuth(Box<WireGrant>),
    ApiKey {
        user: Option<Box<str>>,
        key: Hidden,
    },
    Basic {
        user: Box<str>,
        password: Hidden,
    },
    ClientCredentials {
        client_id: Box<str>,
        client_secret: Hidden,
    },
    ClientCertificate {
        chain: Box<str>,
        private_key: Hidden,
    },
}

#[derive(Serialize, Deserialize)]
struct WireGrant {
    access_token: Hidden,
    refresh_token: Option<Hidden>,
    token_type: Box<str>,
    scopes: ScopeSet,
    obtained_at: Timestamp,
    expires_at: Option<Timestamp>,
    refresh_expires_at: Option<Timestamp>,
    sender_key: Option<Hidden>,
    generation: u64,
    ended: Option<WireEnd>,
    /// Grants of before there were challenges lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claims_challenge: Option<Hidden>,
}

#[derive(Serialize, Deserialize)]
struct WireEnd {
    cause: Box<str>,
    at: Timestamp,
}

impl From<&Credential> for Wire {
    fn from(credential: &Credential) -> Self {
        match credential {
            Credential::OAuth(grant) => Self::OAuth(Box::new(WireGrant {
                access_token: Hidden(grant.access_token.clone()),
                refresh_token: grant.refresh_token.clone().map(Hidden),
                token_type: grant.token_type.clone(),
                scopes: grant.scopes.clone(),
                obtained_at: grant.obtained_at,
                expires_at: grant.expires_at,
                refresh_expires_at: grant.refresh_expires_at,
                sender_key: grant.sender_key.clone().map(Hidden),
                generation: grant.generation,
                ended: grant.ended.map(|end| WireEnd {
                    cause: end_code(end.cause).into(),
                    at: end.at,
                }),
                claims_challenge: grant.claims_challenge.clone().map(Hidden),
            })),
            Credential::ApiKey(ApiKey { user, key }) => Self::ApiKey {
                user: user.clone(),
                key: Hidden(key.clone()),
            },
            Credential::Basic(Basic { user, password }) => Self::Basic {
                user: user.clone(),
                password: Hidden(password.clone()),
            },
            Credential::ClientCredentials(client) => Self::ClientCredentials {
                client_id: client.client_id.clone(),
                client_secret: Hidden(client.client_secret.clone()),
            },
            Credential::ClientCertificate(certificate) => Self::ClientCertificate {
                chain: certificate.chain.clone(),
                private_key: Hidden(certificate.private_key.clone()),
            },
        }
    }
}

impl From<Wire> for Credential {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::OAuth(grant) => Self::OAuth(OAuthGrant {
                access_token: grant.access_token.0,
                refresh_token: grant.refresh_token.map(|hidden| hidden.0),
                token_type: grant.token_type,
                scopes: grant.scopes,
                obtained_at: grant.obtained_at,
                expires_at: grant.expires_at,
                refresh_expires_at: grant.refresh_expires_at,
                sender_key: grant.sender_key.map(|hidden| hidden.0),
                generation: grant.generation,
                ended: grant.ended.map(|end| EndedGrant {
                    cause: end_from_code(&end.cause),
                    at: end.at,
                }),
                claims_challenge: grant.claims_challenge.map(|hidden| hidden.0),
            }),
            Wire::ApiKey { user, key } => Self::ApiKey(ApiKey { user, key: key.0 }),
            Wire::Basic { user, password } => Self::Basic(Basic {
                user,
                password: password.0,
            }),
            Wire::ClientCredentials {
                client_id,
                client_secret,
            } => Self::ClientCredentials(ClientCredentials {
                client_id,
                client_secret: client_secret.0,
            }),
            Wire::ClientCertificate { chain, private_key } => Self::ClientCertificate(ClientCertificate {
                chain,
                private_key: private_key.0,
            }),
        }
    }
}

/// A secret written as base64.
struct Hidden(SecretString);

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let encoded = Zeroizing::new(STANDARD.encode(self.0.expose_secret()));
        serializer.serialize_str(&encoded)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Encoded;
        impl Visitor<'_> for Encoded {
            type Value = Hidden;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }
            fn visit_str<E: serde::de::Error>(self, encoded: &str) -> Result<Hidden, E> {
                let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| E::custom("not base64"))?);
                let text = std::str::from_utf8(&bytes).map_err(|_| E::custom("not text"))?;
                Ok(Hidden(text.into()))
            }
        }
        deserializer
            .deserialize_str(Encoded)
            .map_err(|_| D::Error::custom("a secret cannot be read"))
    }
}

/// Counts what would be written.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const fn end_code(end: GrantEnd) -> &'static str {
    match end {
        GrantEnd::RevokedOrExpired => "revoked_or_expired",
        GrantEnd::Expired => "expired",
        GrantEnd::OtherClient => "other_client",
        GrantEnd::Account(AccountState::Disabled) => "account_disabled",
        GrantEnd::Account(AccountState::Missing) => "account_missing",
        GrantEnd::Account(AccountState::PasswordChanged) => "password_changed",
        GrantEnd::SessionControl => "session_control",
        GrantEnd::InteractionRequired => "interaction_required",
        GrantEnd::CodeRejected => "code_rejected",
    }
}

/// A cause that a newer version wrote still means that the grant is over.
fn end_from_code(code: &str) -> GrantEnd {
    match code {
        "expired" => GrantEnd::Expired,
        "other_client" => GrantEnd::OtherClient,
        "account_disabled" => GrantEnd::Account(AccountState::Disabled),
        "account_missing" => GrantEnd::Account(AccountState::Missing),
        "password_changed" => GrantEnd::Account(AccountState::PasswordChanged),
        "session_control" => GrantEnd::SessionControl,
        "interaction_required" => GrantEnd::InteractionRequired,
        "code_rejected" => GrantEnd::CodeRejected,
        _ => GrantEnd::RevokedOrExpired,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// One credential of each kind, with characters that JSON would have to escape.
    pub(in crate::credential) fn every_kind() -> Vec<Credential> {
        let at = Timestamp::from_unix_seconds(1_790_000_000);
        let grant = OAuthGrant::new("ya29.access".into(), ScopeSet::parse("openid email"), at)
            .with_refresh_token("1//refresh".into())
            .with_expires_in(Duration::from_secs(3_599))
            .with_refresh_expires_in(Duration::from_secs(604_799))
            .with_sender_key("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n".into());
        vec![
            OAuthGrant::new("bare".into(), ScopeSet::new(), at).into(),
            grant.ended(GrantEnd::SessionControl, at).into(),
            grant
                .ended(GrantEnd::InteractionRequired, at)
                .with_claims_challenge(r#"{"access_token":{"acrs":{"value":"c1"}}}"#.into())
                .into(),
            grant.into(),
            ApiKey {
                user: Some("admin".into()),
                key: "0123\"\\\u{1}ünï".into(),
            }
            .into(),
            Basic {
                user: "user".into(),
                password: "p\"a\\ss\nwörd".into(),
            }
            .into(),
            ClientCredentials {
                client_id: "client".into(),
                client_secret: "secret".into(),
            }
            .into(),
            ClientCertificate {
                chain: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".into(),
                private_key: "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n".into(),
            }
            .into(),
        ]
    }

    #[test]
    fn every_kind_survives_and_fills_its_buffer_exactly() {
        for credential in every_kind() {
            let bytes = encode(&credential).unwrap();
            assert_eq!(bytes.len(), bytes.capacity(), "grown buffers leave copies behind");
            let read = decode(&bytes).unwrap();
            assert_eq!(read.kind(), credential.kind());
            // The bytes are a function of every field, so equal bytes mean an equal credential.
            assert_eq!(encode(&read).unwrap(), bytes);
        }
    }

    #[test]
    fn secrets_are_equal_after_the_round_trip() {
        let basic = Basic {
            user: "u".into(),
            password: "p\"a\\ss\nwörd".into(),
        };
        let Credential::Basic(read) = decode(&encode(&basic.into()).unwrap()).unwrap() else {
            panic!("another kind");
        };
        assert_eq!(read.password.expose_secret(), "p\"a\\ss\nwörd");
    }

    #[test]
    fn a_newer_kind_and_damage_are_told_apart() {
        assert_eq!(decode(br#"{"passkey":{}}"#).unwrap_err().code(), "storage.schema");
        assert_eq!(decode(br#"{"basic":"#).unwrap_err().code(), "storage.corrupt");
        let bad = decode(br#"{"basic":{"user":"u","password":"%%canary%%"}}"#).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("canary"));
    }

    #[test]
    fn every_end_of_a_grant_has_its_code() {
        let ends = [
            GrantEnd::RevokedOrExpired,
            GrantEnd::Expired,
            GrantEnd::OtherClient,
            GrantEnd::Account(AccountState::Disabled),
            GrantEnd::Account(AccountState::Missing),
            GrantEnd::Account(AccountState::PasswordChanged),
            GrantEnd::SessionControl,
            GrantEnd::InteractionRequired,
            GrantEnd::CodeRejected,
        ];
        for end in ends {
            assert_eq!(end_from_code(end_code(end)), end);
        }
    }

    #[test]
    fn debug_of_every_kind_shows_no_secret() {
        for credential in every_kind() {
            let shown = format!("{credential:?}");
            for secret in ["ya29", "1//", "PRIVATE", "0123", "wörd", "secret", "bare", "acrs"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
