//! Single answers that are known of Google, and the mock's answer to each.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_connectors_gmail::mock::{ApiError, Client, Consent, Google, TokenError, User};
use serde_json::Value;

use crate::shape::compare;
use crate::support::{Answered, Http};
use crate::{CLIENT, OPS, REDIRECT, SCOPES, exchange, json_of, post_form, sign_in, text};

/// One error of the mock, to be compared with what is known of Google's.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Api(fn() -> ApiError),
    Token(TokenError),
    /// An answer of the OAuth endpoints to a story of its own, see [`tell`].
    Story,
    /// What the mock does not do, and why.
    Not(#[allow(dead_code, reason = "for whoever reads the table")] &'static str),
}

/// The known answers and the mock's error for each.
pub(crate) const KNOWN: &[(&str, Known)] = &[
    (
        "gmail-400-bad-request",
        Known::Not("Google's documentation copied it from another API"),
    ),
    ("gmail-400-base64", Known::Api(|| ApiError::InvalidBase64)),
    (
        "gmail-400-invalid-attachment-token",
        Known::Api(|| ApiError::InvalidAttachmentToken),
    ),
    (
        "gmail-400-invalid-label",
        Known::Api(|| ApiError::InvalidLabel("SENT".to_owned())),
    ),
    ("gmail-400-invalid-thread-id", Known::Api(|| ApiError::InvalidThreadId)),
    (
        "gmail-400-invalid-to-header",
        Known::Api(|| ApiError::InvalidArgument("Invalid To header".to_owned())),
    ),
    ("gmail-400-label-not-found", Known::Api(|| ApiError::LabelNotFound)),
    (
        "gmail-400-missing-start-history-id",
        Known::Api(|| ApiError::MissingStartHistoryId),
    ),
    (
        "gmail-400-precondition-check-failed",
        Known::Api(|| ApiError::PreconditionFailed),
    ),
    ("gmail-400-raw-missing", Known::Api(|| ApiError::RawMissing)),
    (
        "gmail-400-recipient-required",
        Known::Api(|| ApiError::RecipientRequired),
    ),
    ("gmail-401-auth-error", Known::Api(|| ApiError::Unauthenticated)),
    ("gmail-401-unauthenticated", Known::Api(|| ApiError::Unauthenticated)),
    ("gmail-403-daily-limit", Known::Api(|| ApiError::DailyLimitExceeded)),
    (
        "gmail-403-delegation-denied",
        Known::Api(|| ApiError::DelegationDenied(OPS.to_owned())),
    ),
    ("gmail-403-domain-policy", Known::Api(|| ApiError::DomainPolicy)),
    (
        "gmail-403-insufficient-scope",
        Known::Api(|| ApiError::InsufficientScope),
    ),
    (
        "gmail-403-metadata-scope-q",
        Known::Api(|| ApiError::MetadataScopeQuery),
    ),
    (
        "gmail-403-quota-units-per-minute-per-user",
        Known::Api(|| ApiError::QuotaExceeded),
    ),
    ("gmail-404-not-found", Known::Api(|| ApiError::NotFound)),
    ("gmail-409-label-conflict", Known::Api(|| ApiError::LabelConflict)),
    (
        "gmail-429-concurrent",
        Known::Api(|| ApiError::TooManyConcurrentRequests),
    ),
    ("gmail-429-mail-sending", Known::Api(|| ApiError::MailSendingLimit)),
    (
        "gmail-429-user-rate-retry-after",
        Known::Api(|| ApiError::UserRateLimit {
            retry_after: "2026-03-10T17:41:45.544Z".to_owned(),
        }),
    ),
    ("gmail-500-backend-error", Known::Api(|| ApiError::Backend)),
    ("gmail-503-unavailable", Known::Api(|| ApiError::Unavailable)),
    ("oauth-revoke-expired", Known::Story),
    (
        "oauth-revoke-not-revocable",
        Known::Not("every token of the mock can be revoked"),
    ),
    ("oauth-revoke-success", Known::Story),
    ("oauth-token-code-no-refresh-token", Known::Story),
    ("oauth-token-code-partial-scopes", Known::Story),
    ("oauth-token-code-success", Known::Story),
    (
        "oauth-token-dpop-success",
        Known::Not("no DPoP: our tokens are bearer tokens"),
    ),
    (
        "oauth-token-invalid-dpop-proof",
        Known::Not("no DPoP: our tokens are bearer tokens"),
    ),
    ("oauth-token-refresh-success", Known::Story),
    ("oauth-token-time-based-access", Known::Story),
    (
        "oauth-token-admin-policy-enforced",
        Known::Token(TokenError::AdminPolicyEnforced),
    ),
    (
        "oauth-token-invalid-grant-bad-request",
        Known::Token(TokenError::BadRequest),
    ),
    (
        "oauth-token-invalid-grant-invalid-verifier",
        Known::Token(TokenError::InvalidVerifier),
    ),
    (
        "oauth-token-invalid-grant-jwt-signature",
        Known::Token(TokenError::InvalidJwtSignature),
    ),
    (
        "oauth-token-invalid-grant-malformed-code",
        Known::Token(TokenError::MalformedCode),
    ),
    (
        "oauth-token-invalid-grant-missing-verifier",
        Known::Token(TokenError::MissingVerifier),
    ),
    (
        "oauth-token-invalid-grant-rapt",
        Known::Token(TokenError::SessionControl),
    ),
    ("oauth-token-org-internal", Known::Token(TokenError::OrgInternal)),
    (
        "oauth-token-redirect-uri-mismatch",
        Known::Token(TokenError::RedirectUriMismatch),
    ),
    (
        "oauth-token-unauthorized-client-dwd",
        Known::Token(TokenError::UnauthorizedClient),
    ),
];

/// Has the mock answer an error and compares it, with the words that programs go by.
pub(crate) async fn provoke(name: &str, error: &Known, case: &Value) -> BTreeSet<String> {
    let google = Google::start().await;
    let http = Http::to(&google);
    let (answer, words) = match error {
        Known::Api(error) => {
            google.faults().always("gmail.users.labels.list", error());
            let answer = http.send("GET", "/gmail/v1/users/me/labels", None).await.unwrap();
            (
                answer,
                ["/error/code", "/error/errors/0/domain", "/error/errors/0/reason"],
            )
        }
        Known::Token(error) => {
            google.faults().always("oauth.token", *error);
            let answer = http.send("POST", "/token", None).await.unwrap();
            (answer, ["/error", "/error_description", "/error_subtype"])
        }
        Known::Story | Known::Not(_) => (tell(name).await, ["/error", "/token_type", "/error_description"]),
    };
    let response = &case["response"];
    let mut differences = compare(response, &answer);
    let body = json_of(&answer);
    for word in words {
        let (known, ours) = (response["body"].pointer(word), body.pointer(word));
        // A word that one of them leaves out is a missing key already.
        if let (Some(known), Some(ours)) = (known, ours)
            && known != ours
        {
            differences.insert(format!("{word}: {known} → {ours}"));
        }
    }
    differences
}

/// Brings about an answer of the token or revocation endpoint.
async fn tell(name: &str) -> Answered {
    let mut builder = Google::builder().user(User::new(OPS));
    builder = match name {
        "oauth-token-code-no-refresh-token" => builder.client(Client::web(CLIENT.0, CLIENT.1, &[REDIRECT])),
        _ => builder.client(Client::desktop(CLIENT.0, CLIENT.1)),
    };
    if name == "oauth-token-time-based-access" {
        builder = builder.refresh_token_lifetime(Duration::from_secs(604_800));
    }
    let google = builder.start().await;
    let http = Http::to(&google);
    let token = google.access_token(OPS, &SCOPES);
    match name {
        "oauth-revoke-success" => post_form(&http, "/revoke", &[("token", &token)]).await,
        "oauth-revoke-expired" => {
            google.revoke_grant(OPS);
            post_form(&http, "/revoke", &[("token", &token)]).await
        }
        "oauth-token-refresh-success" => {
            let answer = exchange(&http, &sign_in(&google, "consent")).await;
            let refresh = text(&json_of(&answer)["refresh_token"]);
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &refresh),
                ("client_id", CLIENT.0),
                ("client_secret", CLIENT.1),
            ];
            post_form(&http, "/token", &form).await
        }
        "oauth-token-code-no-refresh-token" => {
            exchange(&http, &sign_in(&google, "consent")).await;
            exchange(&http, &sign_in(&google, "")).await
        }
        "oauth-token-code-partial-scopes" => {
            google.next_consent(Consent::only(&[]));
            exchange(&http, &sign_in(&google, "consent")).await
        }
        _ => exchange(&http, &sign_in(&google, "consent")).await,
    }
}
