//! The error value: a kind, where it happened, and the verdicts a caller needs.

use std::error::Error as StdError;
use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Advice, ErrorKind, OAuthError, ProviderMessage};
use crate::ids::{CorrelationId, ProviderId};

/// Result of every fallible call of these crates.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation. One pointer wide; `Display` is one line and never repeats its source.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    class: OperationClass,
    retry: Retry,
    effect: Effect,
    provider: Option<ProviderId>,
    provider_code: Option<ProviderCode>,
    status: Option<u16>,
    correlation: Option<CorrelationId>,
    context: Vec<(&'static str, String)>,
    messages: Vec<ProviderMessage>,
    claims_challenge: Option<SecretString>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of work failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationClass {
    /// Sign-in, refresh, revoke.
    SignIn,
    /// A read; may be repeated.
    Read,
    /// A change of records or labels at the provider.
    Write,
    /// A mail leaving.
    Send,
    /// Work inside the host: store, policy, parsing.
    Local,
}

/// Whether repeating the same call can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Not without a change by a person or by code.
    Never,
    /// Yes, with growing pauses.
    Backoff,
    /// Yes, but not before this moment.
    At(Timestamp),
}

/// Whether the failed call may have changed something outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing left, or the provider refused before acting.
    None,
    /// The request may have been acted on; reconcile before anything is repeated.
    Unknown,
    /// The provider accepted it; only the answer was lost or unreadable.
    Happened,
}

/// The provider's own code, kept verbatim after an allow-list filter: letters, digits and `._-/:` up to 96 characters.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderCode(Box<str>);

impl ProviderCode {
    /// Keeps a code as it stands if every character is allowed, and nothing of it otherwise: free text from a
    /// provider may hold an address, a subject or a token.
    pub fn new(code: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
        let fits = !code.is_empty() && code.len() <= 96;
        (fits && code.chars().all(allowed)).then(|| Self(code.into()))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProviderCode {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::new(&code).ok_or("not a provider code")
    }
}

impl From<ProviderCode> for String {
    fn from(code: ProviderCode) -> Self {
        code.0.into()
    }
}

impl fmt::Display for ProviderCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProviderCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderCode({})", self.0)
    }
}

impl Error {
    /// An error of this kind in this operation (`gmail.messages.get`, `outbox.claim`). Retry and effect start from
    /// what the kind says ([`ErrorKind::retry`]; no effect) and can be set apart.
    pub fn new(kind: impl Into<ErrorKind>, operation: &'static str) -> Self {
        let kind = kind.into();
        Self(Box::new(Inner {
            retry: kind.retry(),
            effect: kind.effect(),
            kind,
            operation,
            class: OperationClass::Local,
            provider: None,
            provider_code: None,
            status: None,
            correlation: None,
            context: Vec::new(),
            messages: Vec::new(),
            claims_challenge: None,
            source: None,
        }))
    }

    /// Names the operation anew: a layer below knows only its own name, the caller's is the one to show.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = operation;
        self
    }

    /// Sets the class of the operation.
    #[must_use]
    pub fn with_class(mut self, class: OperationClass) -> Self {
        self.0.class = class;
        self
    }

    /// Sets the verdict on repeating.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Sets whether something may have happened outside.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// Names the provider.
    #[must_use]
    pub fn with_provider(mut self, provider: ProviderId) -> Self {
        self.0.provider = Some(provider);
        self
    }

    /// Keeps the provider's code if it passes [`ProviderCode::new`].
    #[must_use]
    pub fn with_provider_code(mut self, code: &str) -> Self {
        self.0.provider_code = ProviderCode::new(code);
        self
    }

    /// Keeps the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Ties the error to a span and a provider request.
    #[must_use]
    pub fn with_correlation(mut self, correlation: CorrelationId) -> Self {
        self.0.correlation = Some(correlation);
        self
    }

    /// Adds a fact: a fixed key and an identifier, count or name. Never a body, address, query or secret.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Keeps what the provider says to people. Neither `Display` nor `Debug` shows the texts.
    #[must_use]
    pub fn with_messages(mut self, messages: impl IntoIterator<Item = ProviderMessage>) -> Self {
        self.0.messages.extend(messages);
        self
    }

    /// Keeps a claims challenge. Neither `Display` nor `Debug` shows it.
    #[must_use]
    pub fn with_claims_challenge(mut self, challenge: SecretString) -> Self {
        self.0.claims_challenge = Some(challenge);
        self
    }

    /// Keeps the underlying error. Strip foreign errors first (`reqwest::Error::without_url`).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The OAuth failure inside, if it is one.
    pub fn oauth(&self) -> Option<&OAuthError> {
        match &self.0.kind {
            ErrorKind::OAuth(error) => Some(error),
            _ => None,
        }
    }

    /// Stable code for logs, metrics and host tables, such as `oauth.invalid_grant.revoked`.
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// One line of cause and what operator and developer do next.
    pub fn advice(&self) -> Advice {
        self.0.kind.advice()
    }

    /// The operation that failed.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The class of the operation.
    pub fn class(&self) -> OperationClass {
        self.0.class
    }

    /// Whether repeating can help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Whether something may have happened outside.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// The provider, where one was involved.
    pub fn provider(&self) -> Option<&ProviderId> {
        self.0.provider.as_ref()
    }

    /// The provider's own code.
    pub fn provider_code(&self) -> Option<&ProviderCode> {
        self.0.provider_code.as_ref()
    }

    /// The HTTP status, where an answer came.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The correlation id of the call.
    pub fn correlation(&self) -> Option<&CorrelationId> {
        self.0.correlation.as_ref()
    }

    /// What the provider says to people about it, for the screen and not for a log.
    pub fn messages(&self) -> &[ProviderMessage] {
        &self.0.messages
    }

    /// What the provider asks for at the next sign-in (`claims`, Entra): more proof of who signs in, or of from where.
    ///
    /// It comes from a refusal of the token endpoint, or from the `WWW-Authenticate` header of a 401 that speaks of
    /// `insufficient_claims`. After a refused refresh it also lies sealed with the grant, and a reconnect carries it by itself; after
    /// a 401 of an API, hand it to [`SignInRequest::with_claims`](crate::oauth::SignInRequest::with_claims).
    pub fn claims_challenge(&self) -> Option<&SecretString> {
        self.0.claims_challenge.as_ref()
    }

    /// Facts added with [`Error::with_context`], in order.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(key, value)| (*key, value.as_str()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(f, "{}: {}", inner.operation, inner.kind)?;
        if let Some(status) = inner.status {
            write!(f, " (HTTP {status}")?;
            if let Some(code) = &inner.provider_code {
                write!(f, ", {code}")?;
            }
            f.write_str(")")?;
        } else if let Some(code) = &inner.provider_code {
            write!(f, " ({code})")?;
        }
        for (key, value) in &inner.context {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let mut out = f.debug_struct("Error");
        out.field("code", &inner.kind.code())
            .field("kind", &inner.kind)
            .field("operation", &inner.operation)
            .field("class", &inner.class)
            .field("retry", &inner.retry)
            .field("effect", &inner.effect);
        if let Some(provider) = &inner.provider {
            out.field("provider", provider);
        }
        if let Some(code) = &inner.provider_code {
            out.field("provider_code", code);
        }
        if let Some(status) = inner.status {
            out.field("status", &status);
        }
        if let Some(correlation) = &inner.correlation {
            out.field("correlation", correlation);
        }
        if !inner.context.is_empty() {
            out.field("context", &inner.context);
        }
        if !inner.messages.is_empty() {
            out.field("messages", &inner.messages.len());
        }
        if inner.claims_challenge.is_some() {
            out.field("claims_challenge", &true);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
