//! From a token reply to a connection: who came back, what was granted, and only then what is stored.

use std::fmt;

use crate::clock::Timestamp;
use crate::connection::{
    Connection, ConnectionEvent, ConnectionRef, GrantOwner, Identity, Pause, ProofKind, Reason, Status,
};
use crate::credential::{AccessToken, Credential, CredentialKey, OAuthGrant};
use crate::error::{Error, ErrorKind, FlowFault, Masked, OAuthError, Result};
use crate::ids::{ConnectionId, Epoch, TenantId};
use crate::oauth::answer::TokenReply;
use crate::oauth::id_token;
use crate::oauth::sign_in::rejected;
use crate::oauth::{IdClaims, OAUTH_FIELD, ScopePlan, ScopeReport, ScopeSet, SignIn, Workflow};

const OPERATION: &str = "oauth.sign_in";

/// Who signs in to what: the part of a flow that the checks after the redemption need.
pub(crate) struct Attempt<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) connection: &'a ConnectionId,
    /// The epoch of the connection when the sign-in was begun; `None` for one that does not exist yet.
    pub(crate) epoch: Option<Epoch>,
    pub(crate) plan: &'a ScopePlan,
    pub(crate) nonce: Option<&'a secrecy::SecretString>,
    /// When the token was asked for.
    pub(crate) asked_at: Timestamp,
}

/// A sign-in that went through every check and is stored.
#[derive(Clone)]
#[non_exhaustive]
pub struct SignedIn {
    /// The connection in its new epoch. Begin the first sync under it.
    pub connection: ConnectionRef,
    /// Who came back. Masked in `Debug`.
    pub identity: Identity,
    /// Everything that was granted, in the provider's long spelling.
    pub granted: ScopeSet,
    /// What was granted beyond what was asked; usually empty. Worth a warning.
    pub excess: ScopeSet,
    /// Whether the connection existed before.
    pub reconnected: bool,
    /// Other connections of the same tenant with the same account.
    pub same_account: Vec<ConnectionId>,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("connection", &self.connection)
            .field("identity", &self.identity)
            .field("granted", &self.granted)
            .field("excess", &self.excess)
            .field("reconnected", &self.reconnected)
            .finish_non_exhaustive()
    }
}

impl SignIn {
    /// Checks a redeemed grant in a fixed order and stores it. A refused one is revoked under the provider's rule.
    pub(crate) async fn accept(&self, attempt: &Attempt<'_>, mut reply: TokenReply) -> Result<SignedIn> {
        let app = self.app();
        let id_token = reply.id_token.take();
        let grant = app.grant(reply, &attempt.plan.asked, attempt.asked_at);

        let claims = match &id_token {
            Some(token) => id_token::verify(app, token, attempt.nonce).await,
            None => Err(id_token::rejected("missing")),
        };
        let claims = match claims {
            Ok(claims) => claims,
            Err(error) => return Err(self.refuse(error, None, &grant).await),
        };
        let identity = self.identity(&claims);
        let owner = GrantOwner {
            provider: app.provider().id(),
            client: app.client().id.clone(),
            subject: identity.subject.clone(),
        };
        let checked = match app.provider().check_account(&claims) {
            Ok(()) => self.check(attempt, &identity, &grant).await,
            Err(error) => Err(app.named(error)),
        };
        let report = match checked {
            Ok(report) => report,
            Err(error) => return Err(self.refuse(error, Some(&owner), &grant).await),
        };
        let stored = self.keep(attempt, &identity, &report, &grant).await;
        match stored {
            Ok((connection, reconnected)) => {
                // It is stored; a store that fails now must not make it look refused.
                let same_account = self.same_account(&connection, &owner).await.unwrap_or_default();
                Ok(SignedIn {
                    connection,
                    identity,
                    granted: report.granted,
                    excess: report.excess,
                    reconnected,
                    same_account,
                })
            }
            Err(error) => Err(self.refuse(error, Some(&owner), &grant).await),
        }
    }

    fn identity(&self, claims: &IdClaims) -> Identity {
        self.app().provider().identity(claims)
    }

    /// Account, second opinion, scopes, refresh token: the first that fails decides.
    async fn check(&self, attempt: &Attempt<'_>, identity: &Identity, grant: &OAuthGrant) -> Result<ScopeReport> {
        let pinned = self.pinned(attempt).await?;
        if let Some(pinned) = &pinned
            && !pinned.is_same_account(identity)
        {
            let error = self.wrong_account(pinned.masked(), identity.masked());
            // A guest has the same address in two organizations: then only their names tell what went wrong.
            return Err(match (&pinned.tenant, &identity.tenant) {
                (Some(expected), Some(actual)) if expected != actual => error
                    .with_context("expected_organization", expected)
                    .with_context("organization", actual),
                _ => error,
            });
        }
        if let Some(profile) = self.profile() {
            let token = AccessToken::new(grant.access_token.clone(), grant.scopes.clone(), grant.generation);
            if let Some(seen) = profile.address(&token).await?
                && let Some(named) = &identity.address
                && !seen.eq_ignore_ascii_case(named)
            {
                return Err(self.wrong_account(Masked::new(named), Masked::new(&seen)));
            }
        }
        let provider = self.app().provider();
        let report = attempt.plan.compare(provider, &grant.scopes);
        if !report.missing.is_empty() {
            let missing = report.missing.iter().map(ToString::to_string).collect();
            return Err(self
                .app()
                .refused(OAuthError::InsufficientPrivileges { missing }, OPERATION));
        }
        if grant.refresh_token.is_none() && provider.gives_refresh_token() {
            return Err(self.app().refused(OAuthError::NoOfflineAccess, OPERATION));
        }
        Ok(report)
    }

    /// The identity that the connection is pinned to, if it still is as it was when the sign-in was begun.
    async fn pinned(&self, attempt: &Attempt<'_>) -> Result<Option<Identity>> {
        let found = self
            .connections()
            .store()
            .get(attempt.tenant, attempt.connection)
            .await?;
        match (found, attempt.epoch) {
            (None, None) => Ok(None),
            (Some(row), Some(epoch)) if row.value.reference.epoch == epoch => Ok(row.value.identity),
            _ => Err(rejected(FlowFault::Superseded)),
        }
    }

    /// Stores in an order in which a crash loses nothing but this sign-in: the new epoch first (whatever else is in flight is
    /// void), then the credential under it, then that it is there.
    async fn keep(
        &self,
        attempt: &Attempt<'_>,
        identity: &Identity,
        report: &ScopeReport,
        grant: &OAuthGrant,
    ) -> Result<(ConnectionRef, bool)> {
        let connections = self.connections();
        let superseded = |error: Error| match error.kind() {
            ErrorKind::Cancelled | ErrorKind::NotFound { .. } => rejected(FlowFault::Superseded),
            _ => error,
        };
        let now = self.app().clock().now();
        // Set by hand: what a crash between the steps leaves behind is a connection that waits for its person.
        let half_done = Status::Paused(Pause::SignIn {
            reason: Reason {
                code: "oauth.sign_in.interrupted".into(),
                cause: "The sign-in was interrupted before its credential was stored.".into(),
                operator: "Sign in again.".into(),
            },
        });
        let fill = |row: &mut Connection| {
            row.identity = Some(identity.clone());
            row.client = Some(self.app().client().id.clone());
            row.workflows.clone_from(&attempt.plan.workflows);
            row.granted = report.granted.clone();
            row.status = half_done.clone();
            row.status_since = now;
            row.disconnect = None;
            if !row.secrets.iter().any(|field| &**field == OAUTH_FIELD) {
                row.secrets.push(OAUTH_FIELD.into());
            }
        };
        let row = match attempt.epoch {
            None => {
                let reference = ConnectionRef {
                    tenant: attempt.tenant.clone(),
                    connection: attempt.connection.clone(),
                    epoch: Epoch::FIRST,
                    provider: self.app().provider().id(),
                };
                let mut row = Connection::new(reference, now);
                fill(&mut row);
                match connections.store().insert(&row).await {
                    Ok(_) => row,
                    Err(error) if crate::connection::is_conflict(&error) => {
                        return Err(rejected(FlowFault::Superseded));
                    }
                    Err(error) => return Err(error),
                }
            }
            Some(epoch) => connections
                .change_any(attempt.tenant, attempt.connection, |row| {
                    crate::connection::only_epoch(row, epoch)?;
                    row.reference.epoch = epoch.next();
                    fill(row);
                    Ok(true)
                })
                .await
                .map_err(superseded)?,
        };
        let reference = row.reference;
        let key = CredentialKey {
            tenant: reference.tenant.clone(),
            connection: reference.connection.clone(),
            field: OAUTH_FIELD.into(),
        };
        let credential = Credential::OAuth(grant.clone());
        connections
            .vault()
            .put(&key, reference.epoch, &credential)
            .await
            .map_err(superseded)?;
        let event = ConnectionEvent::SignedIn {
            at: attempt.asked_at,
            needs: needed_proof(attempt),
        };
        connections.apply(&reference, event).await.map_err(superseded)?;
        Ok((reference, attempt.epoch.is_some()))
    }

    async fn same_account(&self, connection: &ConnectionRef, owner: &GrantOwner) -> Result<Vec<ConnectionId>> {
        let sharing = self.connections().store().sharing_grant(owner).await?;
        Ok(sharing
            .into_iter()
            .filter(|(tenant, id)| *tenant == connection.tenant && *id != connection.connection)
            .map(|(_, id)| id)
            .collect())
    }

    fn wrong_account(&self, expected: Masked, actual: Masked) -> Error {
        self.app()
            .refused(OAuthError::WrongAccount { expected, actual }, OPERATION)
    }

    /// Takes the refused grant back at the provider as far as its rule allows; the error says what became of it.
    async fn refuse(&self, error: Error, owner: Option<&GrantOwner>, grant: &OAuthGrant) -> Error {
        match self.connections().revoke_under_rule(self.app(), owner, grant).await {
            Ok(outcome) => error.with_context("refused_grant", outcome.code()),
            Err(failed) => error.with_context("refused_grant", failed.code()),
        }
    }
}

/// What must be seen before the connection counts as working: after a reconnect, something new from outside, where the
/// workflows can see such a thing; else an answer.
fn needed_proof(attempt: &Attempt<'_>) -> ProofKind {
    let sees_signals = |workflow: &Workflow| {
        matches!(
            workflow,
            Workflow::Triage | Workflow::InboxManagement | Workflow::ReadRecords
        )
    };
    if attempt.epoch.is_some() && attempt.plan.workflows.iter().any(sees_signals) {
        ProofKind::Signal
    } else {
        ProofKind::Answer
    }
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
