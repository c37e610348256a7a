//! Every known refusal of Google's authorization server, against the class it has to become.
//!
//! Codes and sentences are facts; the source stands beside each. Expectations are those of `gmail.md`, section 2.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use atlas_connectors::oauth::{
    AuthorizeRequest, GrantType, IdClaims, OAuthProvider as _, RedirectRefusal, Revocation, ScopePlan, ScopeSet,
    TokenRefusal, Workflow,
};
use atlas_connectors_gmail::{Endpoints, GoogleOAuth, scopes};

fn google() -> GoogleOAuth {
    GoogleOAuth::new(&Endpoints::google().unwrap())
}

#[test]
fn token_refusals_become_the_class_that_says_what_to_do() {
    use GrantType::{AuthorizationCode as Code, JwtBearer as Jwt, RefreshToken as Refresh};
    let dwd = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.";
    let cases = [
        (
            "Google, OAuth overview",
            Refresh,
            400,
            "invalid_grant",
            Some("Token has been expired or revoked."),
            None,
            "oauth.invalid_grant.revoked",
        ),
        (
            "oauth-token-invalid-grant-bad-request: iitkgp-erp-login 17",
            Refresh,
            400,
            "invalid_grant",
            Some("Bad Request"),
            None,
            "oauth.invalid_grant.revoked",
        ),
        (
            "the same for a reused code",
            Code,
            400,
            "invalid_grant",
            Some("Bad Request"),
            None,
            "oauth.invalid_grant.code",
        ),
        (
            "oauth-token-invalid-grant-malformed-code: public code",
            Code,
            400,
            "invalid_grant",
            Some("Malformed auth code."),
            None,
            "oauth.invalid_grant.code",
        ),
        (
            "oauth-token-invalid-grant-missing-verifier: third-party fake",
            Code,
            400,
            "invalid_grant",
            Some("Missing code verifier."),
            None,
            "oauth.client.proof",
        ),
        (
            "oauth-token-invalid-grant-invalid-verifier: third-party fake",
            Code,
            400,
            "invalid_grant",
            Some("Invalid code verifier."),
            None,
            "oauth.client.proof",
        ),
        (
            "oauth-token-invalid-grant-rapt: blobfile 2, vm0 32128",
            Refresh,
            400,
            "invalid_grant",
            Some("reauth related error (invalid_rapt)"),
            Some("invalid_rapt"),
            "oauth.invalid_grant.session_control",
        ),
        (
            "the same without its sub-reason",
            Refresh,
            400,
            "invalid_grant",
            Some("reauth related error (invalid_rapt)"),
            None,
            "oauth.invalid_grant.session_control",
        ),
        (
            "oauth-token-invalid-grant-jwt-signature: unverified",
            Jwt,
            400,
            "invalid_grant",
            Some("Invalid JWT Signature."),
            None,
            "oauth.client.credentials",
        ),
        (
            "service account set-up: public issues",
            Jwt,
            400,
            "invalid_grant",
            Some("Invalid email or User ID"),
            None,
            "oauth.invalid_grant.account",
        ),
        (
            "oauth-token-redirect-uri-mismatch: third-party fake",
            Code,
            400,
            "redirect_uri_mismatch",
            Some("Bad Request"),
            None,
            "oauth.client.redirect_uri",
        ),
        (
            "wrong or rotated secret: public issues",
            Refresh,
            401,
            "invalid_client",
            Some("Unauthorized"),
            None,
            "oauth.client.credentials",
        ),
        (
            "oauth-token-unauthorized-client-dwd: n8n documentation",
            Jwt,
            401,
            "unauthorized_client",
            Some(dwd),
            None,
            "oauth.client.not_authorized",
        ),
        (
            "oauth-token-admin-policy-enforced: Google, limited-input devices",
            Refresh,
            400,
            "admin_policy_enforced",
            None,
            None,
            "oauth.access_denied.tenant_policy",
        ),
        (
            "oauth-token-org-internal: Google, limited-input devices",
            Code,
            403,
            "org_internal",
            None,
            None,
            "oauth.client.other_organization",
        ),
        (
            "unsupported grant: public issues",
            Code,
            400,
            "unsupported_grant_type",
            Some("Invalid grant_type: x"),
            None,
            "oauth.client.request",
        ),
        (
            "missing secret: public issues",
            Code,
            400,
            "invalid_request",
            Some("client_secret is missing."),
            None,
            "oauth.client.credentials",
        ),
        (
            "oauth-token-invalid-dpop-proof: Google, installed apps",
            Refresh,
            400,
            "invalid_dpop_proof",
            None,
            None,
            "oauth.client.proof",
        ),
        (
            "DPoP nonce: Google, installed apps",
            Refresh,
            400,
            "use_dpop_nonce",
            None,
            None,
            "oauth.client.proof",
        ),
        (
            "server side: Google",
            Refresh,
            400,
            "internal_failure",
            None,
            None,
            "oauth.transient",
        ),
        (
            "token-bad-verifier: emulate 0.12.2",
            Code,
            400,
            "invalid_grant",
            Some("PKCE verification failed."),
            None,
            "oauth.client.proof",
        ),
        (
            "token-code-reused: emulate 0.12.2",
            Code,
            400,
            "invalid_grant",
            Some("The code is incorrect or expired."),
            None,
            "oauth.invalid_grant.code",
        ),
        (
            "token-refresh-after-revoke: emulate 0.12.2",
            Refresh,
            400,
            "invalid_grant",
            Some("The refresh token is invalid."),
            None,
            "oauth.invalid_grant.revoked",
        ),
        (
            "token-wrong-client: emulate 0.12.2",
            Code,
            401,
            "invalid_client",
            Some("The client_id is incorrect."),
            None,
            "oauth.client.credentials",
        ),
        (
            "a code nobody knows",
            Refresh,
            400,
            "brand_new_code",
            None,
            None,
            "oauth.other",
        ),
    ];
    for (source, grant, status, error, description, suberror, expected) in cases {
        let refusal = TokenRefusal::new(grant, status, error)
            .with_description(description)
            .with_suberror(suberror);
        let class = google().classify_token_error(&refusal);
        assert_eq!(class.code(), expected, "{source}");
        assert_eq!(
            class.ends_grant(),
            expected.starts_with("oauth.invalid_grant"),
            "{source}"
        );
    }
}

#[test]
fn errors_of_the_page_name_who_has_to_act() {
    let cases = [
        (
            "oauth-redirect-access-denied",
            "access_denied",
            "oauth.access_denied.user",
        ),
        (
            "oauth-page-admin-policy-enforced",
            "admin_policy_enforced",
            "oauth.access_denied.tenant_policy",
        ),
        (
            "oauth-page-org-internal",
            "org_internal",
            "oauth.client.other_organization",
        ),
        (
            "oauth-page-disallowed-useragent",
            "disallowed_useragent",
            "oauth.client.embedded_browser",
        ),
        ("oauth-page-deleted-client", "deleted_client", "oauth.client.deleted"),
        (
            "oauth-page-invalid-client",
            "invalid_client",
            "oauth.client.credentials",
        ),
        (
            "oauth-page-redirect-uri-mismatch",
            "redirect_uri_mismatch",
            "oauth.client.redirect_uri",
        ),
        ("oauth-page-invalid-request", "invalid_request", "oauth.client.request"),
        (
            "invalid_grant at the page: challenge missing or wrong",
            "invalid_grant",
            "oauth.client.proof",
        ),
        ("standard name", "invalid_scope", "oauth.client.scope"),
    ];
    for (source, error, expected) in cases {
        let class = google().classify_redirect_error(&RedirectRefusal::new(error));
        assert_eq!(class.code(), expected, "{source}");
        assert!(!class.ends_grant(), "{source}: a page cannot end a grant");
    }
}

#[test]
fn workflows_become_the_narrowest_scopes_with_those_of_sign_in() {
    let google = google();
    let plan = ScopePlan::new(&google, &[Workflow::Triage, Workflow::ApprovedReplies]).unwrap();
    let expected = ["openid", scopes::EMAIL, scopes::READONLY, scopes::SEND].join(" ");
    assert_eq!(plan.asked, ScopeSet::parse(&expected));
    assert!(ScopePlan::new(&google, &[Workflow::WriteRecords]).is_err());
}

#[test]
fn partial_and_wide_grants_are_noticed() {
    let google = google();
    let plan = ScopePlan::new(&google, &[Workflow::InboxManagement]).unwrap();
    // oauth-token-code-partial-scopes: the person left the Gmail box unticked.
    let partial = ScopeSet::parse("openid https://www.googleapis.com/auth/userinfo.email");
    let report = plan.compare(&google, &partial);
    assert_eq!(report.missing, ScopeSet::parse(scopes::MODIFY));

    let plan = ScopePlan::new(&google, &[Workflow::Triage]).unwrap();
    let wide = ScopeSet::parse(&format!("openid email {} {}", scopes::READONLY, scopes::FULL));
    let report = plan.compare(&google, &wide);
    assert!(report.missing.is_empty());
    assert_eq!(report.excess, ScopeSet::parse(scopes::FULL));
}

#[test]
fn requests_ask_for_offline_access_and_never_for_older_scopes() {
    let scopes = ScopeSet::parse("openid");
    let mut request = AuthorizeRequest::new(&scopes);
    request.organization = Some("acme.example");
    let extras = google().authorize_extras(&request);
    assert_eq!(
        extras,
        [("access_type", "offline".to_owned()), ("hd", "acme.example".to_owned())]
    );
}

#[test]
fn the_person_is_known_by_subject_and_organization() {
    let claims = IdClaims::new("accounts.google.com", "1234567890")
        .with_email("ops@acme.example")
        .with("hd", "acme.example");
    let google = google();
    assert!(google.accepts_issuer(&claims));
    let identity = google.identity(&claims);
    assert_eq!(identity.subject, "1234567890");
    assert_eq!(identity.tenant.as_deref(), Some("acme.example"));
    assert!(!google.accepts_issuer(&IdClaims::new("https://evil.example", "1")));
    assert_eq!(google.revocation(), Revocation::WholeGrant);
    assert!(!google.rotates_refresh_tokens());
}
