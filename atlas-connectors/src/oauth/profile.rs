//! A second opinion on who signed in.

use std::fmt;

use async_trait::async_trait;

use crate::credential::AccessToken;
use crate::error::Result;

/// Asks the provider's own interface whose account a token opens, beside the id token.
///
/// ```
/// use atlas_connectors::Result;
/// use atlas_connectors::credential::AccessToken;
/// use atlas_connectors::oauth::AccountProfile;
///
/// /// An interface that always sees the same mailbox.
/// #[derive(Debug)]
/// struct OneMailbox;
///
/// #[async_trait::async_trait]
/// impl AccountProfile for OneMailbox {
///     async fn address(&self, token: &AccessToken) -> Result<Option<String>> {
///         let may_ask = token.scopes().contains(&"mail.read".into());
///         Ok(may_ask.then(|| "orders@example.com".to_owned()))
///     }
/// }
/// ```
#[async_trait]
pub trait AccountProfile: fmt::Debug + Send + Sync + 'static {
    /// The address of the account that this token opens; `None` where the granted scopes do not allow the question.
    ///
    /// # Errors
    /// Whatever keeps the provider from answering: the sign-in is refused then.
    async fn address(&self, token: &AccessToken) -> Result<Option<String>>;
}
