//! What is kept of a sign-in between its two halves, sealed.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::credential::{SealContext, Sealer};
use crate::error::{Error, Result, StorageFault};
use crate::ids::{ActorId, ConnectionId, Epoch, ProviderId, SessionId, TenantId};
use crate::oauth::{ClientId, ScopePlan, StateHash, StoredFlow};
use crate::{Timestamp, error::ErrorKind};

/// The field of the seal's context.
const FIELD: &str = "oauth.flow";

/// What a flow is for: the answer to one is worth nothing to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// A person signs in.
    #[default]
    SignIn,
    /// An administrator approves the app.
    AdminConsent,
}

/// One open sign-in, or an administrator's consent that is being waited for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) provider: ProviderId,
    pub(crate) client: ClientId,
    pub(crate) tenant: TenantId,
    pub(crate) connection: ConnectionId,
    /// The epoch of the connection when this was begun; `None` for one that does not exist yet.
    pub(crate) epoch: Option<Epoch>,
    pub(crate) actor: ActorId,
    pub(crate) session: SessionId,
    #[serde(default)]
    pub(crate) purpose: Purpose,
    pub(crate) redirect: String,
    pub(crate) plan: ScopePlan,
    pub(crate) expires: Timestamp,
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(crate) state: SecretString,
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(crate) nonce: SecretString,
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(crate) verifier: SecretString,
}

impl Flow {
    pub(crate) fn seal(&self, sealer: &Sealer) -> Result<StoredFlow> {
        let state = StateHash::of(self.state.expose_secret());
        let clear = serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| {
            let kind = ErrorKind::Invalid {
                what: "sign-in request",
                why: "it cannot be written down",
            };
            Error::new(kind, "oauth.flow")
        })?;
        let context = SealContext::item(&self.tenant, &self.connection, FIELD, state.as_str());
        let envelope = sealer.seal(context, &clear)?;
        Ok(StoredFlow {
            tenant: self.tenant.clone(),
            connection: self.connection.clone(),
            expires: self.expires,
            envelope,
            state,
        })
    }

    pub(crate) fn open(sealer: &Sealer, stored: &StoredFlow) -> Result<Self> {
        let context = SealContext::item(&stored.tenant, &stored.connection, FIELD, stored.state.as_str());
        let clear = sealer.open(context, &stored.envelope)?;
        // The parser's own error may quote what it read.
        serde_json::from_slice(clear.expose_secret()).map_err(|_| Error::new(StorageFault::Corrupt, "oauth.flow"))
    }
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn hide<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}
