//! What proves who calls.

use std::fmt;

use atlas_connectors::credential::{ApiKey, Basic, Credential};
use secrecy::SecretString;

/// An API key or a password. Both go into the body of every JSON-RPC call; a key is JSON-2's bearer token too.
#[derive(Clone)]
#[non_exhaustive]
pub enum Secret {
    /// An API key: the only secret that JSON-2 takes and that works for users with a second factor.
    Key(SecretString),
    /// The user's password: JSON-RPC only.
    Password(SecretString),
}

impl Secret {
    /// The login and secret of a stored credential; `None` for kinds that Odoo has no use for, or a key without its login.
    pub fn of(credential: &Credential) -> Option<(Box<str>, Self)> {
        match credential {
            Credential::ApiKey(ApiKey { user: Some(user), key }) => Some((user.clone(), Self::Key(key.clone()))),
            Credential::Basic(Basic { user, password }) => Some((user.clone(), Self::Password(password.clone()))),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> &SecretString {
        match self {
            Self::Key(secret) | Self::Password(secret) => secret,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Secret::Key",
            Self::Password(_) => "Secret::Password",
        })
    }
}
