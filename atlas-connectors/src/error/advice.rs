//! What each class of failure means for the operator and for the developer.

use crate::error::{
    AccountState, ClientFault, Denier, ErrorKind, FlowFault, GrantEnd, NotApproved, OAuthError, StorageFault,
    ThrottleScope,
};

/// One line of cause, and the next step for the two people who may have to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// Why it happened, in one line.
    pub cause: &'static str,
    /// What the operator does: the person in front of the settings page.
    pub operator: &'static str,
    /// What the developer of the host does.
    pub developer: &'static str,
}

const fn advice(cause: &'static str, operator: &'static str, developer: &'static str) -> Advice {
    Advice {
        cause,
        operator,
        developer,
    }
}

const NOTHING: &str = "Nothing.";
const BY_ITSELF: &str = "Nothing; it is tried again by itself.";

impl ErrorKind {
    /// One line of cause and the next steps.
    pub const fn advice(&self) -> Advice {
        match self {
            Self::OAuth(error) => error.advice(),
            Self::Transient => advice(
                "The provider had a passing failure.",
                BY_ITSELF,
                "Retry reads with growing pauses; leave effects to the outbox.",
            ),
            Self::Throttled {
                scope: ThrottleScope::Sending,
                ..
            } => advice(
                "The account has sent as much mail as the provider allows for now.",
                "Wait; the limit may last hours and counts mail sent by other programs too.",
                "Leave the intent in the outbox; do not send through another path.",
            ),
            Self::Throttled { .. } => advice(
                "Requests came faster than the provider allows.",
                BY_ITSELF,
                "Honour the time in the error; lower the quota settings if other programs share the account.",
            ),
            Self::Unreachable(_) => advice(
                "No connection to the provider came about.",
                "Check the network, firewall and proxy between this product and the provider.",
                "Retry with growing pauses; do not mark the account as disconnected.",
            ),
            Self::TlsRejected(_) => advice(
                "The provider's certificate, or ours, was not accepted.",
                "Have the certificate renewed, or the company's own authority added to this connection.",
                "Add the authority or client certificate in the connection's TLS settings; there is no switch to accept any.",
            ),
            Self::EgressDenied(_) => advice(
                "The address lies outside the rules for outgoing connections.",
                "Check the address of the server in the connection's settings.",
                "Allow the host and network for this connection if it is meant to be reached.",
            ),
            Self::PermissionDenied { .. } => advice(
                "The account signs in but may not do this.",
                "Ask the administrator of the system for the permission named in the error.",
                "Do not retry; show the object and verb.",
            ),
            Self::ServiceMissing { .. } => advice(
                "The service is not activated in that system or project.",
                "Ask the administrator to activate the service named in the error.",
                "Enable the API or module; this is not a permission of the user.",
            ),
            Self::SchemaMismatch { .. } => advice(
                "The provider's data has changed its shape.",
                "Report it with the support evidence.",
                "Compare the path in the error with the provider's reference.",
            ),
            Self::NotFound { .. } => advice(
                "The item does not exist or was deleted.",
                "Check whether somebody deleted or moved it.",
                "Treat it as gone; during a sync, skip it.",
            ),
            Self::Conflict => advice(
                "Somebody else changed it since it was read.",
                "Look at the present state and decide again.",
                "Read again and propose a new action; the old approval does not cover it.",
            ),
            Self::Rejected { .. } => advice(
                "The provider refused the content of the request.",
                "Correct the field named in the error.",
                "Fix the request; repeating it unchanged gives the same answer.",
            ),
            Self::Locked => advice(
                "Somebody else is working on the record.",
                "Wait until the record is closed in the other program; it is tried again by itself for a while.",
                "Retry with pauses of seconds, few times; nothing was changed.",
            ),
            Self::NeedsInteraction { .. } => advice(
                "The provider asks a question that only a person can answer.",
                "Open the record in the provider's own program and answer there.",
                "Do not repeat the action; read the record's state afterwards.",
            ),
            Self::PolicyBlocked { .. } => advice(
                "A rule of the approval policy forbids this action.",
                "Ask whoever keeps the rules if it should be allowed.",
                "Show the rule; do not look for another way to send.",
            ),
            Self::NotApproved(fault) => match fault {
                NotApproved::Missing => advice(
                    "Nobody has approved this action yet.",
                    "Review it and approve or reject.",
                    "Dispatch after the approval; being held is a normal outcome.",
                ),
                NotApproved::Rejected => advice(
                    "A reviewer rejected this action.",
                    "Propose a changed action if it is still wanted.",
                    "Do not dispatch it again; a new proposal is a new intent.",
                ),
                NotApproved::Expired | NotApproved::Used | NotApproved::Digest | NotApproved::Context => advice(
                    "The approval does not cover what would leave now.",
                    "Review it again and approve anew.",
                    "Propose the action again; an approval is for one use, one content and one epoch.",
                ),
            },
            Self::OutcomeUnknown { .. } => advice(
                "The request left, and the answer was lost.",
                "Look in the mailbox or system whether it happened, then resolve the entry as sent or not sent.",
                "Call the outbox's reconcile; never repeat the effect.",
            ),
            Self::CursorExpired => advice(
                "The provider keeps its history for a limited time, and it has passed.",
                BY_ITSELF,
                "Let the sync engine close the gap it has opened; coverage shows the progress.",
            ),
            Self::BadPayload(_) => advice(
                "The answer was cut, too large or not what the interface promises.",
                BY_ITSELF,
                "If it lasts, look for a proxy that answers in the provider's place.",
            ),
            Self::StorageFailed(fault) => match fault {
                StorageFault::Key => advice(
                    "The sealing key is missing, unknown or wrong.",
                    "Restore the key that was in use; without it the stored credentials cannot be opened.",
                    "Hand in the right key provider; nothing was overwritten.",
                ),
                StorageFault::Full => advice(
                    "The store cannot be written.",
                    "Free disk space or correct the access rights.",
                    "No effect was begun; try again once the store accepts writes.",
                ),
                StorageFault::Corrupt | StorageFault::Schema => advice(
                    "A stored row does not verify or is of a newer version.",
                    "Report it; do not delete the file.",
                    "Restore from a backup or run the newer version; the row was left as it is.",
                ),
                StorageFault::Locked | StorageFault::Conflict | StorageFault::Fenced | StorageFault::Io => advice(
                    "Another worker was faster, or the disk failed.",
                    BY_ITSELF,
                    "Read again and repeat the step; check the disk if it lasts.",
                ),
            },
            Self::Paused { .. } => advice(
                "The connection waits for a person.",
                "Do the step named in the connection's status.",
                "Show the status and its actions; work goes on by itself afterwards.",
            ),
            Self::DeadlineExceeded => advice(
                "The time allowed for the call was over.",
                BY_ITSELF,
                "Allow more time or ask for less at once.",
            ),
            Self::Cancelled => advice(
                "The work was stopped on purpose: by the host, or by a disconnect or reconnect.",
                NOTHING,
                "Begin again under the present epoch if it is still wanted.",
            ),
            Self::Unsupported { .. } => advice(
                "This connection cannot do that.",
                NOTHING,
                "Check the capabilities before the call.",
            ),
            Self::Invalid { .. } => advice(
                "A setting or argument is wrong.",
                "Correct the setting named in the error.",
                "Correct the argument named in the error; nothing was sent.",
            ),
        }
    }
}

impl OAuthError {
    /// One line of cause and the next steps.
    pub const fn advice(&self) -> Advice {
        match self {
            Self::AccessDenied { by: Denier::User } => advice(
                "The person at the consent page chose not to allow access.",
                "Connect again and choose Allow.",
                "Offer the button again; nothing was stored.",
            ),
            Self::AccessDenied { by: Denier::Admin } => advice(
                "An administrator has to approve the app before people may use it.",
                "Ask your administrator to approve this app, then connect again.",
                "Send the administrator the admin consent address.",
            ),
            Self::AccessDenied {
                by: Denier::TenantPolicy,
            } => advice(
                "A policy of the organization blocks this app or one of its scopes.",
                "Ask your administrator to allow this app by its client id.",
                "Do not retry; name the client id and the scopes in the message to the administrator.",
            ),
            Self::InvalidGrant { cause } => match cause {
                GrantEnd::RevokedOrExpired | GrantEnd::Expired => advice(
                    "Access was revoked, or expired (password change, long disuse, app in testing).",
                    "Choose Reconnect and sign in with the same account.",
                    "Stop all work of the connection and offer Reconnect; the identity stays pinned.",
                ),
                GrantEnd::OtherClient => advice(
                    "The stored grant was issued to another OAuth client.",
                    "Choose Reconnect and sign in with the same account.",
                    "Check that the client id has not been exchanged under stored grants.",
                ),
                GrantEnd::Account(AccountState::PasswordChanged) => advice(
                    "The password of the account was changed.",
                    "Choose Reconnect and sign in with the new password.",
                    "Offer Reconnect.",
                ),
                GrantEnd::Account(_) => advice(
                    "The account is disabled or no longer exists.",
                    "Ask your administrator about the account, then choose Reconnect.",
                    "Offer Reconnect; repeating the refresh is of no use.",
                ),
                GrantEnd::SessionControl => advice(
                    "The organization ends sessions of apps after a set time.",
                    "Choose Reconnect; ask your administrator to exempt this app, or it will happen again.",
                    "Tell the administrator about session control; the interval is between 1 and 24 hours.",
                ),
                GrantEnd::InteractionRequired => advice(
                    "The organization asks for more proof of who signs in.",
                    "Choose Reconnect and complete the extra step.",
                    "Carry the challenge into the next authorize request.",
                ),
                GrantEnd::CodeRejected => advice(
                    "The sign-in answer was used twice, came too late or was changed on its way.",
                    "Connect again.",
                    "Redeem a code once, decoded once, with the verifier of its own flow.",
                ),
            },
            Self::InsufficientPrivileges { .. } => advice(
                "A permission that this work needs was not given.",
                "Choose Reconnect and leave all boxes ticked.",
                "Ask for the scopes named in the error; do not retry without them.",
            ),
            Self::WrongAccount { .. } => advice(
                "Another account was chosen at the sign-in page.",
                "Connect again and choose the account named first; or add the other one as a new connection.",
                "Pass a login hint; the connection and its grant are unchanged.",
            ),
            Self::NoOfflineAccess => advice(
                "The provider gave access for an hour only, without the means to renew it.",
                "Connect again; at the consent page, confirm the access once more.",
                "Ask for offline access and force the consent page.",
            ),
            Self::ClientMisconfigured { fault } => match fault {
                ClientFault::Credentials => advice(
                    "The app's client id or secret is wrong or was replaced.",
                    "Ask whoever runs this product to check its client id and secret.",
                    "Correct client id and secret; stored grants are kept.",
                ),
                ClientFault::RedirectUri => advice(
                    "The address to return to is not registered for this app.",
                    "Ask whoever runs this product to register the address.",
                    "Register the redirect address exactly as sent: scheme, case, trailing slash.",
                ),
                ClientFault::Deleted => advice(
                    "The app's registration was deleted or switched off.",
                    "Ask whoever runs this product, or your administrator, to restore it.",
                    "Switch it on again, restore the client within 30 days or make a new one.",
                ),
                ClientFault::OtherOrganization => advice(
                    "The app is limited to another organization.",
                    "Sign in with an account of that organization.",
                    "Change the app's user type if others are meant to use it.",
                ),
                ClientFault::Tenant => advice(
                    "The organization that the sign-in names is unknown, lives in another cloud or was not named.",
                    "Ask whoever runs this product to check which organization it signs in to.",
                    "Check tenant and cloud of the authority; service accounts need a tenant of their own.",
                ),
                ClientFault::Service => advice(
                    "The organization does not have the service that access is asked for.",
                    "Sign in with an account of the organization that uses it, or ask your administrator to subscribe.",
                    "Check the tenant and the resource that the scopes name.",
                ),
                ClientFault::EmbeddedBrowser => advice(
                    "The sign-in page refuses embedded browsers.",
                    "Open the address in your usual browser.",
                    "Open the system browser; never embed the page.",
                ),
                ClientFault::NotAuthorized | ClientFault::Scope => advice(
                    "The app may not use this way of signing in, or one of the scopes.",
                    "Ask your administrator to grant the app the scopes it needs.",
                    "Compare the app registration (delegation, scopes) with what is asked for.",
                ),
                ClientFault::Request | ClientFault::Proof => advice(
                    "The request to the authorization server was malformed.",
                    "Report it with the support evidence.",
                    "A defect in the library or the host's settings; see the provider code.",
                ),
            },
            Self::FlowRejected {
                fault: FlowFault::NoAnswer,
            } => advice(
                "The browser never came back; the provider may be showing an error on its own page.",
                "Look at the browser window: blocked apps, wrong redirect addresses and unknown clients are shown there only.",
                "Check client id, redirect address and the organization's app policy.",
            ),
            Self::FlowRejected { .. } => advice(
                "The sign-in answer did not belong to a sign-in that is waiting.",
                "Connect again, in one browser, without going back.",
                "Begin and complete in the same session; never reuse a callback address.",
            ),
            Self::Transient => advice(
                "The authorization server could not answer for the moment.",
                BY_ITSELF,
                "Keep the grant; retry with growing pauses.",
            ),
            Self::Other => advice(
                "The authorization server refused for a reason that is not in our table.",
                "Try again later; report it if it lasts.",
                "See the provider code; the grant is kept.",
            ),
        }
    }
}
