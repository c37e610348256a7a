//! Signing in on another device (RFC 8628): for machines without a browser.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, FlowFault, OAuthError, Result};
use crate::ids::{ConnectionId, Epoch, TenantId};
use crate::oauth::accept::Attempt;
use crate::oauth::sign_in::rejected;
use crate::oauth::{GrantType, ScopePlan, SignIn, SignedIn, Workflow, answer, wire};

const OPERATION: &str = "oauth.device";
/// RFC 8628, section 3.5: added to the pause at each `slow_down`.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest pause between two questions, however often the server is out of reach.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// A sign-in that waits for a person to type a code on another device. Lives in this process only.
#[non_exhaustive]
pub struct DeviceSignIn {
    /// What the person types. Show it; it is of no use to others without the person's own sign-in.
    pub user_code: String,
    /// Where the person types it.
    pub verification_url: Url,
    /// The same with the code filled in, for a QR code, where the provider gives it.
    pub verification_url_complete: Option<Url>,
    /// The connection that is signing in; a new one is stored only once the sign-in has succeeded.
    pub connection: ConnectionId,
    /// What is asked for.
    pub plan: ScopePlan,
    /// After this moment the code is void.
    pub expires: Timestamp,
    device_code: SecretString,
    tenant: TenantId,
    epoch: Option<Epoch>,
    pause: Duration,
    /// On the monotonic clock.
    deadline: Duration,
}

impl fmt::Debug for DeviceSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSignIn")
            .field("connection", &self.connection)
            .field("plan", &self.plan)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl SignIn {
    /// Asks for a code that a person can type on another device. `connection` names the one that signs in again.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the provider has no such way; else as [`SignIn::begin`], or whatever keeps the provider from
    /// answering.
    pub async fn begin_device(
        &self,
        tenant: TenantId,
        workflows: &[Workflow],
        connection: Option<&ConnectionId>,
    ) -> Result<DeviceSignIn> {
        let app = self.app();
        let Some(endpoint) = &app.provider().endpoints().device else {
            return Err(Error::new(ErrorKind::Unsupported { what: "device sign-in" }, OPERATION));
        };
        let plan = ScopePlan::new(app.provider(), workflows)?;
        let (connection, epoch, _) = self.target(&tenant, connection).await?;
        let scope = plan.asked.to_list();
        let client = Some((app.client(), app.provider().client_authentication()));
        let request = wire::form_request(endpoint, &[("scope", &scope)], client)?;
        let (now, monotonic) = (app.clock().now(), app.clock().monotonic());
        let reply = app.transport().send(request).await?;
        let reply = answer::device_answer(OPERATION, app.provider(), &reply, now)?;
        Ok(DeviceSignIn {
            user_code: reply.user_code,
            verification_url: reply.verification_url,
            verification_url_complete: reply.verification_url_complete,
            connection,
            plan,
            expires: now.after(reply.expires_in),
            device_code: reply.device_code,
            tenant,
            epoch,
            pause: reply.interval,
            deadline: monotonic.saturating_add(reply.expires_in),
        })
    }

    /// Asks until the person has decided, at the pace that the provider sets. An outage of the provider only slows it down.
    ///
    /// # Errors
    /// [`FlowFault::Expired`] if the person took too long; [`OAuthError::AccessDenied`]; else as [`SignIn::complete`] once the
    /// person has agreed.
    pub async fn complete_device(&self, device: DeviceSignIn) -> Result<SignedIn> {
        let app = self.app();
        let mut pause = device.pause;
        let parameters = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device.device_code.expose_secret()),
        ];
        if app.provider().identity_scopes().contains(&"openid".into()) {
            app.keys().warm(app).await?;
        }
        loop {
            app.clock().sleep(pause).await;
            if app.clock().monotonic() >= device.deadline {
                return Err(rejected(FlowFault::Expired));
            }
            let asked_at = app.clock().now();
            let error = match app.token(OPERATION, GrantType::DeviceCode, &parameters).await {
                Ok(reply) => {
                    let attempt = Attempt {
                        tenant: &device.tenant,
                        connection: &device.connection,
                        epoch: device.epoch,
                        plan: &device.plan,
                        nonce: None,
                        asked_at,
                    };
                    return self.accept(&attempt, reply).await;
                }
                Err(error) => error,
            };
            match error.provider_code().map(|code| code.as_str()) {
                Some("authorization_pending") => {}
                Some("slow_down") => pause = pause.saturating_add(SLOW_DOWN),
                Some("expired_token") => return Err(rejected(FlowFault::Expired)),
                _ if passes(&error) => pause = pause.saturating_mul(2).min(MAX_PAUSE.max(device.pause)),
                _ => return Err(error),
            }
        }
    }
}

fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::OAuth(OAuthError::Transient)
            | ErrorKind::Transient
            | ErrorKind::Unreachable(_)
            | ErrorKind::Throttled { .. }
            | ErrorKind::DeadlineExceeded
    )
}
