//! An OAuth grant as it is stored.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::clock::Timestamp;
use crate::error::GrantEnd;
use crate::oauth::ScopeSet;

/// What the provider granted: tokens, scopes and times. `Debug` shows no secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct OAuthGrant {
    /// The newest access token.
    pub access_token: SecretString,
    /// The refresh token; without one the access ends with the access token.
    pub refresh_token: Option<SecretString>,
    /// How the access token is presented, as the provider wrote it (`Bearer`).
    pub token_type: Box<str>,
    /// The scopes that were granted, which may be fewer or more than were asked for.
    pub scopes: ScopeSet,
    /// When the access token was asked for; its life counts from here.
    pub obtained_at: Timestamp,
    /// When the access token ends; `None` if the provider does not say.
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends, for grants that are limited in time.
    pub refresh_expires_at: Option<Timestamp>,
    /// Private key (PKCS#8 in PEM, or JWK) to which the tokens are bound, where the provider offers such a binding.
    pub sender_key: Option<SecretString>,
    /// Counts the access tokens of this grant from 1; each refresh raises it.
    pub generation: u64,
    /// Set when the provider has said that the grant is over: no token call is made with it any more. The tokens stay
    /// sealed until the connection is disconnected.
    pub ended: Option<EndedGrant>,
    /// What the provider asks for at the next sign-in, if it said so when it ended the grant. A reconnect carries it.
    pub claims_challenge: Option<SecretString>,
}

/// When and why a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedGrant {
    /// Why, as far as the provider tells.
    pub cause: GrantEnd,
    /// When it was noticed.
    pub at: Timestamp,
}

impl OAuthGrant {
    /// A first grant, of a bearer token asked for at this moment.
    pub fn new(access_token: SecretString, scopes: ScopeSet, obtained_at: Timestamp) -> Self {
        Self {
            access_token,
            refresh_token: None,
            token_type: "Bearer".into(),
            scopes,
            obtained_at,
            expires_at: None,
            refresh_expires_at: None,
            sender_key: None,
            generation: 1,
            ended: None,
            claims_challenge: None,
        }
    }

    /// Adds the refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: SecretString) -> Self {
        self.refresh_token = Some(token);
        self
    }

    /// Sets the life of the access token (`expires_in`).
    #[must_use]
    pub fn with_expires_in(mut self, life: Duration) -> Self {
        self.expires_at = Some(self.obtained_at.after(life));
        self
    }

    /// Sets the life of the refresh token (`refresh_token_expires_in`).
    #[must_use]
    pub fn with_refresh_expires_in(mut self, life: Duration) -> Self {
        self.refresh_expires_at = Some(self.obtained_at.after(life));
        self
    }

    /// Sets how the token is presented.
    #[must_use]
    pub fn with_token_type(mut self, token_type: &str) -> Self {
        self.token_type = token_type.into();
        self
    }

    /// Binds the tokens to a private key.
    #[must_use]
    pub fn with_sender_key(mut self, key: SecretString) -> Self {
        self.sender_key = Some(key);
        self
    }

    /// The life of the access token as the provider told it.
    pub fn lifetime(&self) -> Option<Duration> {
        self.expires_at.map(|end| end.since(self.obtained_at))
    }

    /// The grant after a refresh asked for at this moment. What the answer leaves out stays as it was: Google sends no
    /// new refresh token, and the old one must never be lost over that (`gmail.md`, section 2).
    #[must_use]
    pub fn renewed(&self, answer: RefreshedGrant, asked_at: Timestamp) -> Self {
        let rotated = answer.refresh_token.is_some();
        Self {
            access_token: answer.access_token,
            refresh_token: answer.refresh_token.or_else(|| self.refresh_token.clone()),
            token_type: answer.token_type.unwrap_or_else(|| self.token_type.clone()),
            scopes: answer.scopes.unwrap_or_else(|| self.scopes.clone()),
            obtained_at: asked_at,
            expires_at: answer.expires_in.map(|life| asked_at.after(life)),
            refresh_expires_at: match answer.refresh_expires_in {
                Some(life) => Some(asked_at.after(life)),
                None if rotated => None,
                None => self.refresh_expires_at,
            },
            sender_key: self.sender_key.clone(),
            generation: self.generation.saturating_add(1),
            ended: None,
            claims_challenge: None,
        }
    }

    /// The grant, marked as over.
    #[must_use]
    pub fn ended(&self, cause: GrantEnd, at: Timestamp) -> Self {
        Self {
            ended: Some(EndedGrant { cause, at }),
            ..self.clone()
        }
    }

    /// Keeps what the provider asks for at the next sign-in.
    #[must_use]
    pub fn with_claims_challenge(mut self, challenge: SecretString) -> Self {
        self.claims_challenge = Some(challenge);
        self
    }
}

impl fmt::Debug for OAuthGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthGrant")
            .field("refresh_token", &self.refresh_token.is_some())
            .field("token_type", &self.token_type)
            .field("scopes", &self.scopes)
            .field("obtained_at", &self.obtained_at)
            .field("expires_at", &self.expires_at)
            .field("refresh_expires_at", &self.refresh_expires_at)
            .field("sender_key", &self.sender_key.is_some())
            .field("generation", &self.generation)
            .field("ended", &self.ended)
            .field("claims_challenge", &self.claims_challenge.is_some())
            .finish_non_exhaustive()
    }
}

/// The token endpoint's answer to a refresh. `None` means that the answer does not mention it. `Debug` shows no secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct RefreshedGrant {
    /// The new access token.
    pub access_token: SecretString,
    /// How it is presented.
    pub token_type: Option<Box<str>>,
    /// Its life, counted from when it was asked for.
    pub expires_in: Option<Duration>,
    /// A new refresh token, which replaces the old one at once.
    pub refresh_token: Option<SecretString>,
    /// The life of the refresh token.
    pub refresh_expires_in: Option<Duration>,
    /// The scopes, where they differ or are told again.
    pub scopes: Option<ScopeSet>,
}

impl RefreshedGrant {
    /// An answer with an access token and nothing else.
    pub fn new(access_token: SecretString) -> Self {
        Self {
            access_token,
            token_type: None,
            expires_in: None,
            refresh_token: None,
            refresh_expires_in: None,
            scopes: None,
        }
    }

    /// Sets how the token is presented.
    #[must_use]
    pub fn with_token_type(mut self, token_type: &str) -> Self {
        self.token_type = Some(token_type.into());
        self
    }

    /// Sets the life of the access token (`expires_in`).
    #[must_use]
    pub fn with_expires_in(mut self, life: Duration) -> Self {
        self.expires_in = Some(life);
        self
    }

    /// Adds a new refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: SecretString) -> Self {
        self.refresh_token = Some(token);
        self
    }

    /// Sets the life of the refresh token (`refresh_token_expires_in`).
    #[must_use]
    pub fn with_refresh_expires_in(mut self, life: Duration) -> Self {
        self.refresh_expires_in = Some(life);
        self
    }

    /// Sets the scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl fmt::Debug for RefreshedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshedGrant")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("refresh_token", &self.refresh_token.is_some())
            .field("refresh_expires_in", &self.refresh_expires_in)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn grant() -> OAuthGrant {
        OAuthGrant::new(
            "access-1".into(),
            ScopeSet::parse("a b"),
            Timestamp::from_unix_seconds(1_000),
        )
        .with_refresh_token("refresh-1".into())
        .with_expires_in(Duration::from_secs(3_600))
        .with_refresh_expires_in(Duration::from_secs(86_400))
    }

    #[test]
    fn an_answer_without_refresh_token_keeps_the_old_one() {
        let answer = RefreshedGrant::new("access-2".into()).with_expires_in(Duration::from_secs(60));
        let renewed = grant().renewed(answer, Timestamp::from_unix_seconds(2_000));
        assert_eq!(renewed.refresh_token.unwrap().expose_secret(), "refresh-1");
        assert_eq!(renewed.access_token.expose_secret(), "access-2");
        assert_eq!(renewed.scopes, ScopeSet::parse("a b"));
        assert_eq!(renewed.expires_at, Some(Timestamp::from_unix_seconds(2_060)));
        assert_eq!(renewed.refresh_expires_at, grant().refresh_expires_at);
        assert_eq!(renewed.generation, 2);
    }

    #[test]
    fn a_rotated_refresh_token_replaces_the_old_one_and_its_end() {
        let answer = RefreshedGrant::new("access-2".into()).with_refresh_token("refresh-2".into());
        let renewed = grant().renewed(answer, Timestamp::from_unix_seconds(2_000));
        assert_eq!(renewed.refresh_token.unwrap().expose_secret(), "refresh-2");
        assert_eq!(renewed.refresh_expires_at, None);
        assert_eq!(renewed.expires_at, None);
    }

    #[test]
    fn debug_shows_no_token() {
        let answer = RefreshedGrant::new("access-2".into()).with_refresh_token("refresh-2".into());
        let grant = grant()
            .with_sender_key("private".into())
            .with_claims_challenge("{\"challenge\":1}".into());
        let shown = format!("{grant:?} {answer:?}");
        for secret in [
            "access-1",
            "access-2",
            "refresh-1",
            "refresh-2",
            "private",
            "{\"challenge",
        ] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
