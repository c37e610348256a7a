//! Accounts and OAuth clients that the mock knows, and what a person does on the consent page.

/// A Google account with a mailbox.
///
/// ```
/// use atlas_connectors_gmail::mock::User;
///
/// let user = User::new("ops@acme-manufacturing.example").with_name("Acme Operations").in_workspace();
/// assert_eq!(user.hosted_domain(), Some("acme-manufacturing.example"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub(super) email: String,
    pub(super) sub: String,
    pub(super) name: String,
    pub(super) hd: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) verified: bool,
}

impl User {
    /// An account with this address; its `sub` is made from the address and stays the same for it.
    pub fn new(email: impl Into<String>) -> Self {
        let email = email.into().to_lowercase();
        let name = email.split('@').next().unwrap_or_default().to_owned();
        Self {
            sub: subject(&email),
            email,
            name,
            hd: None,
            aliases: Vec::new(),
            verified: true,
        }
    }

    /// With this display name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With this `sub`, Google's lasting id of an account.
    #[must_use]
    pub fn with_subject(mut self, sub: impl Into<String>) -> Self {
        self.sub = sub.into();
        self
    }

    /// As a member of the Workspace organization of the address's domain: id tokens carry `hd`.
    #[must_use]
    pub fn in_workspace(mut self) -> Self {
        self.hd = self.email.split_once('@').map(|(_, domain)| domain.to_owned());
        self
    }

    /// With a verified alias that mail may be sent from.
    #[must_use]
    pub fn with_alias(mut self, address: impl Into<String>) -> Self {
        self.aliases.push(address.into());
        self
    }

    /// With `email_verified` false in id tokens.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        self.verified = false;
        self
    }

    /// The address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Google's lasting id of the account: 21 digits.
    pub fn subject(&self) -> &str {
        &self.sub
    }

    /// The organization's domain, if the account belongs to one.
    pub fn hosted_domain(&self) -> Option<&str> {
        self.hd.as_deref()
    }
}

/// 21 digits out of the address.
fn subject(email: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in email.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("1{hash:020}")
}

/// An OAuth client of the project.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    /// `None` for a desktop client: any loopback port is welcome.
    pub(super) redirects: Option<Vec<String>>,
    pub(super) deleted: bool,
}

impl Client {
    /// A desktop client: redirects to any port and path on `127.0.0.1`, `[::1]` or `localhost` over http.
    pub fn desktop(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: Some(secret.into()),
            redirects: None,
            deleted: false,
        }
    }

    /// A web client with its registered redirect addresses, which must match to the letter.
    pub fn web(id: impl Into<String>, secret: impl Into<String>, redirects: &[&str]) -> Self {
        let redirects = redirects.iter().map(|redirect| (*redirect).to_owned()).collect();
        Self {
            id: id.into(),
            secret: Some(secret.into()),
            redirects: Some(redirects),
            deleted: false,
        }
    }

    /// Without a secret: the token endpoint asks for none.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        self.secret = None;
        self
    }

    /// As deleted in the console: its consent page shows `deleted_client`.
    #[must_use]
    pub fn deleted(mut self) -> Self {
        self.deleted = true;
        self
    }

    /// The client id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn accepts(&self, redirect: &str) -> bool {
        match &self.redirects {
            Some(registered) => registered.iter().any(|one| one == redirect),
            None => url::Url::parse(redirect).is_ok_and(|url| {
                url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
            }),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}

/// What the person does on the next consent page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consent {
    /// Grants everything that was asked for, as the account of `login_hint` or else the first account.
    Approve,
    /// Cancels: the redirect carries `error=access_denied`.
    Deny,
    /// Ticks only these boxes; the sign-in scopes that were asked for are granted with them.
    Only(Vec<String>),
    /// Picks another account than the hint named, and grants everything.
    Account(String),
    /// Google shows a page of its own and never redirects.
    Blocked(Blocked),
}

impl Consent {
    /// Ticks only these boxes.
    pub fn only(scopes: &[&str]) -> Self {
        Self::Only(scopes.iter().map(|scope| (*scope).to_owned()).collect())
    }

    /// Picks this account.
    pub fn account(email: &str) -> Self {
        Self::Account(email.to_owned())
    }
}

/// Why Google shows its own page instead of redirecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocked {
    /// An administrator blocks the app or a scope.
    AdminPolicyEnforced,
    /// The project admits one organization only.
    OrgInternal,
    /// The page was opened in an embedded browser.
    DisallowedUseragent,
    /// The client was deleted.
    DeletedClient,
    /// The client is unknown.
    InvalidClient,
    /// The redirect address is not registered or not fit for the kind of client.
    RedirectUriMismatch,
    /// A parameter is missing or malformed.
    InvalidRequest,
    /// A scope is unknown.
    InvalidScope,
    /// The app is in testing and the person is no test user.
    NotATestUser,
    /// The person closes the page.
    Abandoned,
}

impl Blocked {
    /// The error code on the page; empty for a page that was closed.
    pub fn code(self) -> &'static str {
        match self {
            Self::AdminPolicyEnforced => "admin_policy_enforced",
            Self::OrgInternal => "org_internal",
            Self::DisallowedUseragent => "disallowed_useragent",
            Self::DeletedClient => "deleted_client",
            Self::InvalidClient => "invalid_client",
            Self::RedirectUriMismatch => "redirect_uri_mismatch",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::NotATestUser => "access_denied",
            Self::Abandoned => "",
        }
    }

    /// The status of the page.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::DeletedClient => 401,
            Self::OrgInternal | Self::DisallowedUseragent | Self::NotATestUser => 403,
            Self::Abandoned => 200,
            _ => 400,
        }
    }
}

impl std::fmt::Display for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code() {
            "" => f.write_str("the consent page was closed"),
            code => write!(f, "Google's own page says {code} and does not redirect"),
        }
    }
}

impl std::error::Error for Blocked {}

/// What is wrong with the next id token, although its signature is right (except for [`IdTokenFault::Signature`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdTokenFault {
    /// Another client's `aud`.
    Audience,
    /// Another `iss`.
    Issuer,
    /// Expired an hour ago.
    Expired,
    /// Another `nonce`.
    Nonce,
    /// Signed by a key that is not published.
    Signature,
    /// No id token at all.
    Missing,
}
