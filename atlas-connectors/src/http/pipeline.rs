//! The pipeline: what happens to one call, step by step. The order is told at [`Client`].

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{Instrument as _, Span};

use crate::credential::AccessToken;
use crate::error::{Effect, EgressRule, Error, ErrorKind, GrantEnd, OAuthError, Result, Retry};
use crate::http::body::GuardedBody;
use crate::http::client::{Client, Credential, Settings};
use crate::http::deadline::Deadline;
use crate::http::governor::Permit;
use crate::http::redirect::refuse_redirect;
use crate::http::retry_after::retry_after;
use crate::http::{Auth, ByteStream, Call, CallClass, Failure, Response, claims_challenge};
use crate::ids::{CorrelationId, ProviderId};
use crate::oauth::ScopeSet;

/// How much of an error answer the provider's table may see, in bytes.
const ERROR_BODY: usize = 64 * 1024;

impl Client {
    pub(super) async fn whole(&self, call: Call) -> Result<Response> {
        self.run(call, |opened: Opened| async move {
            let limit = usize::try_from(opened.cap).unwrap_or(usize::MAX);
            let body = opened.body.gather(limit).await?;
            Span::current().record("bytes", body.len());
            Ok(Response::new(opened.parts.status, opened.parts.headers, body))
        })
        .await
    }

    pub(super) async fn streamed(&self, call: Call) -> Result<http::Response<ByteStream>> {
        self.run(call, |opened: Opened| async move {
            let settle = opened.settle;
            let body = GuardedBody::new(
                opened.body,
                opened.cap,
                opened.clock,
                opened.patience,
                opened.permit,
                // The answer was a success: whatever happens to its body, the effect has happened.
                move |error| settle.settle(error, Phase::Accepted),
            );
            Ok(http::Response::from_parts(opened.parts, ByteStream::new(body)))
        })
        .await
    }

    async fn run<T, F, R>(&self, call: Call, read: R) -> Result<T>
    where
        R: Fn(Opened) -> F + Send + Sync,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let settings = self.0.as_ref();
        let settle = Settle::new(settings, &call);
        let span = tracing::info_span!(
            "atlas.call",
            otel.name = %format_args!("atlas.{}", call.operation),
            provider = %settings.provider,
            operation = call.operation,
            correlation = %settle.correlation,
            units = call.cost,
            attempts = tracing::field::Empty,
            status = tracing::field::Empty,
            bytes = tracing::field::Empty,
            elapsed_ms = tracing::field::Empty,
            error = tracing::field::Empty,
        );
        let began = settings.clock.monotonic();
        let run = Run {
            settings,
            deadline: Deadline::after(&settings.clock, call.deadline.unwrap_or(settings.deadline)),
            phase: AtomicU8::new(Phase::Waiting as u8),
            settle,
            call: &call,
        };
        async {
            let result = run
                .guarded(&read)
                .await
                .map_err(|error| run.settle.settle(error, run.phase()));
            let span = Span::current();
            span.record("elapsed_ms", millis(settings.clock.monotonic().saturating_sub(began)));
            if let Err(error) = &result {
                span.record("error", error.code());
            }
            result
        }
        .instrument(span)
        .await
    }
}

/// How far the present try has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request has not left.
    Waiting = 0,
    /// The request may have left.
    Sent = 1,
    /// A success status has come.
    Accepted = 2,
}

/// One call on its way.
struct Run<'a> {
    settings: &'a Settings,
    call: &'a Call,
    deadline: Deadline,
    phase: AtomicU8,
    settle: Settle,
}

/// A successful answer whose body has not been read.
struct Opened {
    parts: http::response::Parts,
    body: ByteStream,
    cap: u64,
    clock: Arc<dyn crate::Clock>,
    patience: Duration,
    permit: Permit,
    settle: Settle,
}

/// A failed try.
struct Failed {
    error: Error,
    /// The token that was refused with 401.
    refused: Option<AccessToken>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, refused: None }
    }
}

impl Run<'_> {
    /// Steps 1 and 2: policy and deadline around everything else, and the gate for as long as it lasts.
    async fn guarded<T, F, R>(&self, read: &R) -> Result<T>
    where
        R: Fn(Opened) -> F + Send + Sync,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let gate = &self.settings.gate;
        gate.check().map_err(|kind| self.error(kind))?;
        self.check_origin()?;
        if let Some(granted) = &self.settings.granted {
            self.check_scopes(granted)?;
        }
        let mut work = pin!(self.tries(read));
        let mut over = pin!(self.deadline.passed());
        let mut stopped = pin!(gate.stopped());
        let mut let_it_end = false;
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = &mut over => return Err(self.error(ErrorKind::DeadlineExceeded)),
                kind = &mut stopped, if !let_it_end => {
                    // The answer to an effect that has left is worth waiting for.
                    if self.call.class == CallClass::Effect && self.phase() != Phase::Waiting {
                        let_it_end = true;
                    } else {
                        return Err(self.error(kind));
                    }
                }
            }
        }
    }

    /// Step 4: tries, and tries again if it is a read.
    async fn tries<T, F, R>(&self, read: &R) -> Result<T>
    where
        R: Fn(Opened) -> F + Send + Sync,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let settings = self.settings;
        if settings.granted.is_none() && !self.call.any_scope.is_empty() {
            self.token().await?;
        }
        let mut attempts = 0u32;
        let mut tried = 0u32;
        let mut pause = None;
        let mut renewed = false;
        loop {
            attempts = attempts.saturating_add(1);
            Span::current().record("attempts", attempts);
            let Failed { error, refused } = match self.attempt(read).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            let source = settings.credential.as_ref().and_then(|held| held.source.as_ref());
            if let (Some(token), Some(source)) = (&refused, source) {
                source.reject(token).await;
            }
            if self.call.class == CallClass::Effect {
                return Err(error);
            }
            self.set_phase(Phase::Waiting);
            if refused.is_some() && !renewed {
                renewed = true;
                continue;
            }
            tried = tried.saturating_add(1);
            let remaining = self.deadline.remaining();
            pause = settings
                .retry
                .pause(&error, tried, pause, remaining, settings.clock.now());
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(error = error.code(), pause_ms = millis(pause), "trying again");
            settings.clock.sleep(pause).await;
        }
    }

    /// Steps 3, 5 and 6: quota, token, transport, and what the answer means.
    async fn attempt<T, F, R>(&self, read: &R) -> Result<T, Failed>
    where
        R: Fn(Opened) -> F + Send + Sync,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let Settings {
            governor, transport, ..
        } = self.settings;
        let sends = self.call.work == crate::error::OperationClass::Send;
        let permit = governor
            .admit(self.call.cost, sends, self.deadline.remaining())
            .await
            .map_err(|kind| self.error(kind))?;
        let token = match self.call.auth {
            Auth::Bearer => Some(self.token().await?),
            Auth::None | Auth::InRequest => None,
        };
        let request = self.request(token.as_ref())?;

        self.set_phase(Phase::Sent);
        let answer = match transport.send_streaming(request).await {
            Ok(answer) => answer,
            Err(error) => {
                if error.effect() == Effect::None {
                    self.set_phase(Phase::Waiting);
                }
                return Err(error.into());
            }
        };
        let (parts, body) = answer.into_parts();
        Span::current().record("status", parts.status.as_u16());
        refuse_redirect(self.call.operation, parts.status, &parts.headers)?;
        if !parts.status.is_success() {
            let error = self.classify(&parts, body, &permit).await;
            // Another token of the same grant would not meet a claims challenge either.
            let refused =
                token.filter(|_| parts.status == StatusCode::UNAUTHORIZED && error.claims_challenge().is_none());
            return Err(Failed { error, refused });
        }

        self.set_phase(Phase::Accepted);
        permit.succeeded();
        // A success may ask to slow down all the same: it stays a success, and the next calls wait.
        if let Some(until) = retry_after(&parts.headers, self.settings.clock.now()) {
            permit.rest_until(until);
        }
        let opened = Opened {
            parts,
            body,
            cap: self.call.max_body.unwrap_or(self.settings.max_body),
            clock: Arc::clone(&self.settings.clock),
            patience: self.deadline.remaining(),
            permit,
            settle: self.settle.clone(),
        };
        Ok(read(opened).await?)
    }

    /// The provider's own words about a failure, and the pause that follows from them.
    async fn classify(&self, parts: &http::response::Parts, body: ByteStream, permit: &Permit) -> Error {
        let body = beginning(body).await;
        let failure = Failure::new(
            self.call.operation,
            parts.status,
            &parts.headers,
            &body,
            self.settings.clock.now(),
        );
        let error = match (parts.status, claims_challenge(&parts.headers)) {
            (StatusCode::UNAUTHORIZED, Some(challenge)) => {
                permit.succeeded();
                return self.more_proof(&self.settings.classify.classify(&failure), challenge);
            }
            _ => self.settings.classify.classify(&failure),
        };
        let unclear = parts.status.is_server_error() || parts.status == StatusCode::REQUEST_TIMEOUT;
        match *error.kind() {
            // Refused before acting.
            ErrorKind::Throttled { scope, until } => {
                permit.throttled(scope, until);
                error
            }
            // The answer of a machine in between, or of one that fell while acting: no clear word either way.
            _ if unclear && error.effect() == Effect::None && !self.settings.classify.proves_refusal(&failure) => {
                error.with_effect(Effect::Unknown)
            }
            _ => {
                permit.succeeded();
                error
            }
        }
    }

    /// Whatever the table makes of the 401: the provider asks for more proof, and only the person can give it.
    fn more_proof(&self, known: &Error, challenge: SecretString) -> Error {
        let cause = GrantEnd::InteractionRequired;
        let mut error = Error::new(OAuthError::InvalidGrant { cause }, self.call.operation)
            .with_class(known.class())
            .with_status(StatusCode::UNAUTHORIZED.as_u16())
            .with_claims_challenge(challenge);
        if let Some(provider) = known.provider() {
            error = error.with_provider(provider.clone());
        }
        if let Some(code) = known.provider_code() {
            error = error.with_provider_code(code.as_str());
        }
        if let Some(correlation) = known.correlation() {
            error = error.with_correlation(correlation.clone());
        }
        error
    }

    /// Step 5: a valid token, with a scope for the call.
    async fn token(&self) -> Result<AccessToken> {
        let Some(Credential {
            source: Some(source), ..
        }) = &self.settings.credential
        else {
            return Err(self.no_credential());
        };
        let token = source.token().await?;
        self.check_scopes(token.scopes())?;
        Ok(token)
    }

    fn request(&self, token: Option<&AccessToken>) -> Result<http::Request<Bytes>> {
        let mut request = self.call.request.clone();
        if let Some(token) = token {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.secret().expose_secret())).map_err(|_| {
                    self.error(ErrorKind::Invalid {
                        what: "access token",
                        why: "it holds characters that no header may hold",
                    })
                })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn check_scopes(&self, granted: &ScopeSet) -> Result<()> {
        let wanted = &self.call.any_scope;
        if wanted.is_empty() || wanted.iter().any(|scope| granted.contains(scope)) {
            return Ok(());
        }
        let missing = match &self.call.scope_to_ask {
            Some(scope) => vec![scope.to_string()],
            None => wanted.iter().map(ToString::to_string).collect(),
        };
        Err(self.error(OAuthError::InsufficientPrivileges { missing }))
    }

    /// A credential goes to the origins it was made for and nowhere else; a next link is no exception.
    fn check_origin(&self) -> Result<()> {
        let request = &self.call.request;
        let carries = self.call.auth != Auth::None;
        if !carries && !request.headers().contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let origins = match &self.settings.credential {
            Some(credential) => &credential.origins,
            None if carries => return Err(self.no_credential()),
            None => return Ok(()),
        };
        if origins.iter().any(|origin| origin.covers(request.uri())) {
            return Ok(());
        }
        let error = self.error(EgressRule::Origin);
        Err(match request.uri().host() {
            Some(host) => error.with_context("host", host),
            None => error,
        })
    }

    fn no_credential(&self) -> Error {
        self.error(ErrorKind::Invalid {
            what: "client",
            why: "the call needs a credential, and the client has none",
        })
    }

    fn error(&self, kind: impl Into<ErrorKind>) -> Error {
        Error::new(kind, self.call.operation)
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Waiting,
            1 => Phase::Sent,
            _ => Phase::Accepted,
        }
    }

    fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }
}

/// Gives an error what the pipeline knows: operation, class, provider, correlation, and the verdicts on effect and retry.
#[derive(Clone)]
struct Settle {
    operation: &'static str,
    class: CallClass,
    work: crate::error::OperationClass,
    provider: ProviderId,
    correlation: CorrelationId,
}

impl Settle {
    fn new(settings: &Settings, call: &Call) -> Self {
        Self {
            operation: call.operation,
            class: call.class,
            work: call.work,
            provider: settings.provider.clone(),
            correlation: CorrelationId::random(),
        }
    }

    fn settle(&self, error: Error, phase: Phase) -> Error {
        let effect = match (self.class, phase) {
            (CallClass::Read, _) => Effect::None,
            (CallClass::Effect, Phase::Accepted) => Effect::Happened,
            // What the transport or the provider's table said; if nothing did, the time ran out on the way.
            (CallClass::Effect, Phase::Sent) if *error.kind() == ErrorKind::DeadlineExceeded => Effect::Unknown,
            (CallClass::Effect, _) => error.effect(),
        };
        // The token source names its own operation, which says more than the call's.
        let own = error.operation().starts_with("http.");
        let error = if own {
            error.with_operation(self.operation)
        } else {
            error
        };
        let error = error
            .with_class(self.work)
            .with_provider(self.provider.clone())
            .with_correlation(self.correlation.clone())
            .with_effect(effect);
        match effect {
            Effect::None => error,
            _ => error.with_retry(Retry::Never),
        }
    }
}

/// As much of an error answer as came, within [`ERROR_BODY`].
async fn beginning(mut body: ByteStream) -> Vec<u8> {
    let mut seen = Vec::new();
    while let Some(Ok(chunk)) = body.next().await {
        let room = ERROR_BODY.saturating_sub(seen.len());
        seen.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
        if seen.len() >= ERROR_BODY {
            break;
        }
    }
    seen
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
