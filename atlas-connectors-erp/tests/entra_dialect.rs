//! Entra's dialect: every refusal against the class it has to become, and who may sign in to what.
//!
//! Expectations are those of `business-central.md`, section 9, and of the pages and threads that it names; not of the code.
#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use atlas_connectors::error::OAuthError;
use atlas_connectors::oauth::{
    AuthorizeRequest, ClientId, GrantType, IdClaims, OAuthProvider as _, Prompt, RedirectRefusal, Revocation,
    ScopePlan, ScopeSet, TokenRefusal, Workflow,
};
use atlas_connectors_erp::business_central::entra::{
    BUSINESS_CENTRAL, EntraAction, EntraClass, EntraCode, EntraOAuth, EntraTenant,
};

const CONTOSO: &str = "11111111-1111-4111-8111-111111111111";
const FABRIKAM: &str = "22222222-2222-4222-8222-222222222222";
const OID: &str = "33333333-3333-4333-8333-333333333333";
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

const GRANTS: [GrantType; 5] = [
    GrantType::AuthorizationCode,
    GrantType::RefreshToken,
    GrantType::ClientCredentials,
    GrantType::DeviceCode,
    GrantType::JwtBearer,
];

fn entra() -> EntraOAuth {
    EntraOAuth::new(EntraTenant::Organizations).unwrap()
}

fn contoso() -> EntraOAuth {
    entra().at_tenant(CONTOSO).unwrap()
}

fn refused(grant: GrantType, error: &str, suberror: Option<&str>, codes: &[u64]) -> OAuthError {
    let refusal = TokenRefusal::new(grant, 400, error)
        .with_suberror(suberror)
        .with_codes(codes);
    entra().classify_token_error(&refusal)
}

/// The core table of the page, row by row: numbers, the `error` they come with, and what a code exchange and a refresh become.
#[test]
fn the_core_table_of_the_page() {
    let revoked = "oauth.invalid_grant.revoked";
    let expired = "oauth.invalid_grant.expired";
    let code = "oauth.invalid_grant.code";
    let interaction = "oauth.invalid_grant.interaction_required";
    let account = "oauth.invalid_grant.account";
    let policy = "oauth.access_denied.tenant_policy";
    let admin = "oauth.access_denied.admin";
    let wrong = "oauth.wrong_account";
    let rows: &[(&[u64], &str, &str, &str)] = &[
        // Somebody must consent. On a refresh the grant was withdrawn.
        (&[65001, 90008], "invalid_grant", "oauth.access_denied.user", revoked),
        (
            &[65004],
            "access_denied",
            "oauth.access_denied.user",
            "oauth.access_denied.user",
        ),
        (&[90094, 90095, 90099, 50105], "invalid_grant", admin, admin),
        // Sign in again.
        (&[70000, 50173, 50013], "invalid_grant", code, revoked),
        (&[70008], "invalid_grant", code, revoked),
        (&[700082, 700084, 50089], "invalid_grant", expired, expired),
        (
            &[70043],
            "invalid_grant",
            "oauth.invalid_grant.session_control",
            "oauth.invalid_grant.session_control",
        ),
        (&[50132, 50133], "invalid_grant", account, account),
        (&[54005, 700005, 501481, 70019], "invalid_grant", code, code),
        // More proof.
        (
            &[50072, 50074, 50076, 50078, 50079, 50158, 50055, 50058, 700020],
            "interaction_required",
            interaction,
            interaction,
        ),
        (&[50072, 50076, 50079, 50158], "invalid_grant", interaction, interaction),
        // A policy: an administrator must act, and the grant is as good as before.
        (
            &[53000, 53001, 53002, 53003, 53004, 53011, 530032, 530035, 50131, 50097],
            "invalid_grant",
            policy,
            policy,
        ),
        // Another account, or one that is gone from the organization.
        (
            &[50020, 50034, 50014, 51004, 90072, 16000, 16003, 500208, 50143],
            "invalid_grant",
            wrong,
            account,
        ),
        (&[500212, 500213, 500021], "invalid_grant", wrong, policy),
        // Tenant or cloud.
        (
            &[90002, 50059, 90019, 90038, 50194, 9001023, 90124],
            "invalid_request",
            "oauth.client.tenant",
            "oauth.client.tenant",
        ),
        (
            &[500011, 650052],
            "invalid_resource",
            "oauth.client.service",
            "oauth.client.service",
        ),
        // App, secret, redirect, scope.
        (
            &[700016, 700011],
            "unauthorized_client",
            "oauth.client.credentials",
            "oauth.client.credentials",
        ),
        (
            &[70001, 7000112],
            "unauthorized_client",
            "oauth.client.deleted",
            "oauth.client.deleted",
        ),
        (
            &[7000215, 7000222, 7000218, 700025, 700027, 70002],
            "invalid_client",
            "oauth.client.credentials",
            "oauth.client.credentials",
        ),
        (
            &[50011, 900971],
            "invalid_request",
            "oauth.client.redirect_uri",
            "oauth.client.redirect_uri",
        ),
        (
            &[70011, 28002, 700022, 700023],
            "invalid_scope",
            "oauth.client.scope",
            "oauth.client.scope",
        ),
        (
            &[650056, 650057, 65005],
            "invalid_client",
            "oauth.client.not_authorized",
            "oauth.client.not_authorized",
        ),
        // Passing.
        (
            &[
                50033, 50000, 50087, 90006, 90012, 90024, 90033, 90055, 90090, 90091, 40010,
            ],
            "invalid_grant",
            "oauth.transient",
            "oauth.transient",
        ),
        // Stop: a defect of ours, whatever `error` says.
        (
            &[50196, 900144, 9002313, 90014],
            "invalid_grant",
            "oauth.client.request",
            "oauth.client.request",
        ),
        // An administrator must unlock the account.
        (&[50057, 50053], "invalid_grant", account, account),
    ];
    for (numbers, error, at_code, at_refresh) in rows {
        for number in *numbers {
            let at = |grant| refused(grant, error, None, &[*number]).code();
            assert_eq!(at(GrantType::AuthorizationCode), *at_code, "{number} with {error}");
            assert_eq!(
                at(GrantType::RefreshToken),
                *at_refresh,
                "{number} with {error} on a refresh"
            );
        }
    }
}

#[test]
fn unknown_numbers_fall_back_by_error() {
    for (error, at_code, at_refresh) in [
        ("access_denied", "oauth.access_denied.user", "oauth.access_denied.user"),
        (
            "authorization_declined",
            "oauth.access_denied.user",
            "oauth.access_denied.user",
        ),
        (
            "consent_required",
            "oauth.access_denied.user",
            "oauth.invalid_grant.revoked",
        ),
        (
            "permission_denied",
            "oauth.access_denied.admin",
            "oauth.access_denied.admin",
        ),
        (
            "interaction_required",
            "oauth.invalid_grant.interaction_required",
            "oauth.invalid_grant.interaction_required",
        ),
        (
            "login_required",
            "oauth.invalid_grant.interaction_required",
            "oauth.invalid_grant.interaction_required",
        ),
        (
            "invalid_grant",
            "oauth.invalid_grant.code",
            "oauth.invalid_grant.revoked",
        ),
        (
            "expired_token",
            "oauth.invalid_grant.code",
            "oauth.invalid_grant.revoked",
        ),
        ("invalid_client", "oauth.client.credentials", "oauth.client.credentials"),
        (
            "unauthorized_client",
            "oauth.client.not_authorized",
            "oauth.client.not_authorized",
        ),
        ("invalid_request", "oauth.client.request", "oauth.client.request"),
        ("invalid_scope", "oauth.client.scope", "oauth.client.scope"),
        ("invalid_resource", "oauth.client.service", "oauth.client.service"),
        ("unsupported_grant_type", "oauth.client.request", "oauth.client.request"),
        ("bad_verification_code", "oauth.client.request", "oauth.client.request"),
        ("authorization_pending", "oauth.transient", "oauth.transient"),
        ("slow_down", "oauth.transient", "oauth.transient"),
        ("server_error", "oauth.transient", "oauth.transient"),
        ("temporarily_unavailable", "oauth.transient", "oauth.transient"),
        ("never_heard_of", "oauth.other", "oauth.other"),
    ] {
        for codes in [&[][..], &[999_999_999], &[0, u64::MAX]] {
            let at = |grant| refused(grant, error, None, codes).code();
            assert_eq!(at(GrantType::AuthorizationCode), at_code, "{error} {codes:?}");
            assert_eq!(at(GrantType::RefreshToken), at_refresh, "{error} {codes:?}");
        }
    }
}

#[test]
fn the_second_code_goes_before_numbers_and_is_refined_by_them() {
    use GrantType::RefreshToken as Refresh;
    for (error, suberror, codes, expected) in [
        (
            "invalid_grant",
            "bad_token",
            &[700082][..],
            "oauth.invalid_grant.expired",
        ),
        ("invalid_grant", "bad_token", &[50173], "oauth.invalid_grant.revoked"),
        ("invalid_grant", "bad_token", &[], "oauth.invalid_grant.revoked"),
        ("invalid_grant", "bad_token", &[65001], "oauth.invalid_grant.revoked"),
        (
            "invalid_grant",
            "basic_action",
            &[50076],
            "oauth.invalid_grant.interaction_required",
        ),
        (
            "invalid_grant",
            "basic_action",
            &[],
            "oauth.invalid_grant.interaction_required",
        ),
        (
            "invalid_grant",
            "message_only",
            &[53003],
            "oauth.access_denied.tenant_policy",
        ),
        (
            "invalid_grant",
            "message_only",
            &[],
            "oauth.access_denied.tenant_policy",
        ),
        ("invalid_grant", "consent_required", &[], "oauth.invalid_grant.revoked"),
        (
            "invalid_grant",
            "never_heard_of",
            &[700082],
            "oauth.invalid_grant.expired",
        ),
        // Beside an error that is not about the grant it says nothing.
        ("invalid_client", "bad_token", &[], "oauth.client.credentials"),
    ] {
        let class = refused(Refresh, error, Some(suberror), codes);
        assert_eq!(class.code(), expected, "{error} {suberror} {codes:?}");
    }
    // 70002 alone is a wrong secret; beside 70000 it is the grant (passport-azure-oauth, issue 6).
    assert_eq!(
        refused(Refresh, "invalid_grant", None, &[70002, 70000]).code(),
        "oauth.invalid_grant.revoked"
    );
    assert_eq!(
        refused(Refresh, "invalid_client", None, &[70002]).code(),
        "oauth.client.credentials"
    );
    // Some answers carry the number in the text alone.
    let refusal = TokenRefusal::new(Refresh, 400, "invalid_grant").with_description(Some(
        "AADSTS53003: Access has been blocked by Conditional Access policies. Trace ID: x",
    ));
    assert_eq!(
        entra().classify_token_error(&refusal).code(),
        "oauth.access_denied.tenant_policy"
    );
}

#[test]
fn a_number_alone_ends_no_grant() {
    for error in [
        "invalid_request",
        "invalid_client",
        "unauthorized_client",
        "invalid_scope",
        "temporarily_unavailable",
        "server_error",
        "authorization_pending",
        "never_heard_of",
    ] {
        for row in EntraCode::all() {
            let class = refused(GrantType::RefreshToken, error, None, &[u64::from(row.number)]);
            assert!(!class.ends_grant(), "{} with {error}: {}", row.number, class.code());
        }
    }
}

#[test]
fn the_credentials_of_the_client_itself_never_end_a_grant_of_a_person() {
    for grant in [GrantType::ClientCredentials, GrantType::JwtBearer] {
        for row in EntraCode::all() {
            let class = refused(grant, "invalid_grant", None, &[u64::from(row.number)]);
            assert!(!class.ends_grant(), "{}: {}", row.number, class.code());
        }
    }
}

#[test]
fn every_row_has_a_meaning_for_every_grant() {
    for row in EntraCode::all() {
        let error = match row.class {
            EntraClass::Pending => "authorization_pending",
            EntraClass::MisconfiguredClient => "invalid_client",
            _ => "invalid_grant",
        };
        for grant in GRANTS {
            let class = refused(grant, error, None, &[u64::from(row.number)]);
            assert_ne!(class, OAuthError::Other, "{} at {grant:?}", row.number);
        }
    }
}

#[test]
fn the_table_is_sorted_complete_and_in_words_of_ours() {
    let all = EntraCode::all();
    assert_eq!(all.len(), 137);
    assert!(
        all.is_sorted_by(|one, next| one.number < next.number),
        "sorted, no number twice"
    );
    for row in all {
        assert_eq!(EntraCode::of(u64::from(row.number)), Some(row));
        assert!(!row.meaning.is_empty() && row.meaning.len() < 100, "{}", row.number);
        assert!(
            !row.meaning.contains("AADSTS") && !row.meaning.ends_with('.'),
            "{}",
            row.number
        );
        let fits = match row.class {
            EntraClass::Transient => row.action == EntraAction::Retry,
            EntraClass::Pending => row.action == EntraAction::Wait,
            EntraClass::InvalidGrant => matches!(row.action, EntraAction::Reauthorize | EntraAction::Admin),
            EntraClass::WrongAccount => matches!(row.action, EntraAction::ChooseAccount | EntraAction::Admin),
            EntraClass::InsufficientPrivileges => row.action == EntraAction::Admin,
            EntraClass::AccessDenied => matches!(
                row.action,
                EntraAction::Admin | EntraAction::AdminConsent | EntraAction::Consent | EntraAction::Stop
            ),
            _ => !matches!(
                row.action,
                EntraAction::Retry | EntraAction::Wait | EntraAction::Reauthorize
            ),
        };
        assert!(fits, "{} {} {}", row.number, row.class, row.action);
    }
}

#[test]
fn errors_in_the_redirect_become_the_class_that_says_what_to_do() {
    for (error, description, expected) in [
        (
            "access_denied",
            Some("the user canceled the authentication"),
            "oauth.access_denied.user",
        ),
        (
            "access_denied",
            Some("AADSTS65004: User declined to consent."),
            "oauth.access_denied.user",
        ),
        (
            "access_denied",
            Some("AADSTS90094: The grant requires admin permission."),
            "oauth.access_denied.admin",
        ),
        (
            "consent_required",
            Some("AADSTS65001: nobody has consented"),
            "oauth.access_denied.user",
        ),
        (
            "permission_denied",
            Some("The admin canceled the request"),
            "oauth.access_denied.admin",
        ),
        ("interaction_required", None, "oauth.invalid_grant.interaction_required"),
        (
            "login_required",
            Some("AADSTS50058: no session"),
            "oauth.invalid_grant.interaction_required",
        ),
        (
            "access_denied",
            Some("AADSTS50105: not assigned"),
            "oauth.access_denied.admin",
        ),
        (
            "access_denied",
            Some("AADSTS53003: Conditional Access"),
            "oauth.access_denied.tenant_policy",
        ),
        (
            "invalid_request",
            Some("AADSTS50020: not in this tenant"),
            "oauth.wrong_account",
        ),
        (
            "unauthorized_client",
            Some("AADSTS700016: not found"),
            "oauth.client.credentials",
        ),
        (
            "invalid_client",
            Some("AADSTS650052: no subscription"),
            "oauth.client.service",
        ),
        (
            "invalid_request",
            Some("AADSTS90002: no such tenant"),
            "oauth.client.tenant",
        ),
        ("invalid_scope", None, "oauth.client.scope"),
        ("server_error", Some("AADSTS50000: failed"), "oauth.transient"),
        ("temporarily_unavailable", None, "oauth.transient"),
        (
            "never_heard_of",
            Some("AADSTS, AADSTS1, AADSTS99999999999999999999999"),
            "oauth.other",
        ),
    ] {
        let refusal = RedirectRefusal::new(error).with_description(description);
        let class = entra().classify_redirect_error(&refusal);
        assert_eq!(class.code(), expected, "{error} {description:?}");
    }
}

#[test]
fn addresses_follow_tenant_and_cloud() {
    let endpoints = entra().endpoints().clone();
    let base = "https://login.microsoftonline.com/organizations";
    assert_eq!(endpoints.authorize.as_str(), format!("{base}/oauth2/v2.0/authorize"));
    assert_eq!(endpoints.token.as_str(), format!("{base}/oauth2/v2.0/token"));
    assert_eq!(
        endpoints.device.unwrap().as_str(),
        format!("{base}/oauth2/v2.0/devicecode")
    );
    assert_eq!(endpoints.jwks.unwrap().as_str(), format!("{base}/discovery/v2.0/keys"));
    assert_eq!(
        endpoints.admin_consent.unwrap().as_str(),
        format!("{base}/v2.0/adminconsent")
    );
    assert!(endpoints.revoke.is_none() && entra().revocation() == Revocation::Unsupported);

    let tenant = entra().at_tenant(&CONTOSO.to_uppercase()).unwrap();
    assert_eq!(tenant.tenant().as_id(), Some(CONTOSO));
    assert_eq!(
        tenant.endpoints().issuer,
        format!("https://login.microsoftonline.com/{CONTOSO}/v2.0")
    );
    let token = format!("https://login.microsoftonline.com/{CONTOSO}/oauth2/v2.0/token");
    assert_eq!(tenant.endpoints().token.as_str(), token);

    let emulator = EntraOAuth::builder(EntraTenant::id(CONTOSO).unwrap())
        .login("http://127.0.0.1:14007/login/".parse().unwrap())
        .issuer("http://127.0.0.1:14013/{tenantid}/v2.0")
        .keys("http://127.0.0.1:14013/keys".parse().unwrap())
        .build()
        .unwrap();
    let token = format!("http://127.0.0.1:14007/login/{CONTOSO}/oauth2/v2.0/token");
    assert_eq!(emulator.endpoints().token.as_str(), token);
    assert_eq!(
        emulator.endpoints().issuer,
        format!("http://127.0.0.1:14013/{CONTOSO}/v2.0")
    );
    assert_eq!(emulator.endpoints().jwks.as_ref().unwrap().path(), "/keys");
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    for wrong in [
        "",
        "contoso.example",
        "common",
        "consumers",
        CONSUMERS,
        "11111111-1111-4111-8111-11111111111g",
    ] {
        assert_eq!(EntraTenant::id(wrong).unwrap_err().code(), "invalid", "{wrong}");
        assert_eq!(entra().at_tenant(wrong).unwrap_err().code(), "invalid", "{wrong}");
    }
    let builder = || EntraOAuth::builder(EntraTenant::Organizations);
    let cases = [
        builder().login("http://login.example".parse().unwrap()).build(),
        builder().login("https://login.example/?a=b".parse().unwrap()).build(),
        builder().issuer("https://login.example/v2.0").build(),
        builder().resource("https://api.example/").build(),
        builder().permissions([".default", "Financials.ReadWrite.All"]).build(),
        builder().permissions(["https://graph.microsoft.com/User.Read"]).build(),
    ];
    for case in cases {
        let code = case.unwrap_err().code();
        assert!(code == "invalid" || code.starts_with("egress"), "{code}");
    }
}

#[test]
fn scopes_are_one_resource_and_what_tells_who_came_back() {
    let entra = entra();
    for workflows in [
        &[Workflow::ReadRecords][..],
        &[Workflow::WriteRecords],
        &[Workflow::ReadRecords, Workflow::WriteRecords],
    ] {
        let plan = ScopePlan::new(&entra, workflows).unwrap();
        let wanted = format!("openid profile offline_access {BUSINESS_CENTRAL}/.default");
        assert_eq!(plan.asked, ScopeSet::parse(&wanted));
    }
    let plan = ScopePlan::new(&entra, &[Workflow::ReadRecords]).unwrap();
    for granted in [
        format!("{BUSINESS_CENTRAL}/.default"),
        format!("{BUSINESS_CENTRAL}/Financials.ReadWrite.All {BUSINESS_CENTRAL}/user_impersonation openid"),
        "https%3A%2F%2Fapi.businesscentral.dynamics.com%2F.default".to_owned(),
    ] {
        let report = plan.compare(&entra, &ScopeSet::parse(&granted));
        assert!(
            report.missing.is_empty() && report.excess.is_empty(),
            "{granted}: {report:?}"
        );
    }
    let report = plan.compare(&entra, &ScopeSet::parse("openid profile User.Read"));
    assert_eq!(report.missing, ScopeSet::parse(&format!("{BUSINESS_CENTRAL}/.default")));
    assert_eq!(report.excess, ScopeSet::parse("User.Read"));

    let single = EntraOAuth::builder(EntraTenant::Organizations)
        .permissions(["Financials.ReadWrite.All"])
        .build()
        .unwrap();
    let plan = ScopePlan::new(&single, &[Workflow::ReadRecords]).unwrap();
    let wide = format!("{BUSINESS_CENTRAL}/Financials.ReadWrite.All {BUSINESS_CENTRAL}/user_impersonation");
    let report = plan.compare(&single, &ScopeSet::parse(&wide));
    assert_eq!(
        report.excess,
        ScopeSet::parse(&format!("{BUSINESS_CENTRAL}/user_impersonation"))
    );

    for workflow in [Workflow::Triage, Workflow::ApprovedReplies] {
        let error = ScopePlan::new(&entra, &[Workflow::ReadRecords, workflow]).unwrap_err();
        assert_eq!(error.code(), "unsupported");
    }
}

#[test]
fn the_client_itself_signs_in_to_one_organization() {
    let scopes = contoso().client_credentials_scopes().unwrap();
    assert_eq!(scopes, ScopeSet::parse(&format!("{BUSINESS_CENTRAL}/.default")));
    let client = ClientId::new("aaaaaaaa-0000-4000-8000-000000000001");
    let identity = contoso().client_identity(&client).unwrap();
    assert_eq!(identity.subject, format!("{CONTOSO}/app:{client}"));
    assert_eq!(
        entra().client_credentials_scopes().unwrap_err().code(),
        "oauth.client.tenant"
    );
    assert_eq!(
        entra().client_identity(&client).unwrap_err().code(),
        "oauth.client.tenant"
    );
}

#[test]
fn hints_and_prompts_lead_and_do_not_bind() {
    let scopes = ScopeSet::new();
    let mut request = AuthorizeRequest::new(&scopes);
    assert!(entra().authorize_extras(&request).is_empty());
    assert!(contoso().authorize_extras(&request).is_empty());
    request.reconnect = true;
    assert!(entra().authorize_extras(&request).is_empty());
    assert_eq!(
        contoso().authorize_extras(&request),
        [("domain_hint", CONTOSO.to_owned())]
    );
    request.organization = Some("contoso.example");
    assert_eq!(
        contoso().authorize_extras(&request),
        [("domain_hint", "contoso.example".to_owned())]
    );
    assert_eq!(entra().default_prompt(false), [Prompt::SelectAccount]);
    assert!(entra().default_prompt(true).is_empty());
}

fn claims(tenant: &str) -> IdClaims {
    IdClaims::new(format!("https://login.microsoftonline.com/{tenant}/v2.0"), "pairwise")
        .with("tid", tenant)
        .with("oid", OID)
        .with("preferred_username", "user@contoso.example")
}

#[test]
fn the_issuer_is_the_tenant_of_the_token() {
    for entra in [entra(), contoso()] {
        assert!(entra.accepts_issuer(&claims(CONTOSO)));
        assert!(
            !entra.accepts_issuer(&claims(CONTOSO).with("tid", FABRIKAM)),
            "iss and tid differ"
        );
        for issuer in [
            "https://login.microsoftonline.com/organizations/v2.0".to_owned(),
            format!("https://login.microsoftonline.com/{CONTOSO}/v2.0/"),
            format!("https://login.microsoftonline.us/{CONTOSO}/v2.0"),
            format!("https://sts.windows.net/{CONTOSO}/"),
            format!("https://login.microsoftonline.com/{CONTOSO}"),
        ] {
            let mut other = claims(CONTOSO);
            other.issuer = issuer;
            assert!(!entra.accepts_issuer(&other), "{}", other.issuer);
        }
    }
    let redirect = |entra: &EntraOAuth, tenant: &str| {
        entra.accepts_redirect_issuer(&format!("https://login.microsoftonline.com/{tenant}/v2.0"))
    };
    assert!(redirect(&entra(), CONTOSO) && redirect(&entra(), FABRIKAM) && redirect(&contoso(), CONTOSO));
    assert!(!redirect(&contoso(), FABRIKAM) && !redirect(&entra(), "organizations"));
    assert!(!entra().accepts_redirect_issuer("https://login.example/v2.0"));
}

#[test]
fn an_account_is_tenant_and_user_and_a_guest_is_another_one() {
    let entra = entra();
    entra.check_account(&claims(CONTOSO)).unwrap();
    let member = entra.identity(&claims(CONTOSO));
    assert_eq!(member.subject, format!("{CONTOSO}/{OID}"));
    assert_eq!(member.tenant.as_deref(), Some(CONTOSO));
    assert_eq!(member.address.as_deref(), Some("user@contoso.example"));
    let guest = entra.identity(&claims(FABRIKAM));
    assert!(!member.is_same_account(&guest));
    let renamed = entra.identity(&claims(CONTOSO).with("preferred_username", "new@contoso.example"));
    assert!(
        member.is_same_account(&renamed),
        "the name people know it by may change"
    );
    assert_eq!(entra.at_tenant_of(&guest).unwrap().tenant().as_id(), Some(FABRIKAM));
}

#[test]
fn accounts_of_no_or_another_organization_are_refused() {
    let personal = entra().check_account(&claims(CONSUMERS)).unwrap_err();
    assert_eq!(personal.code(), "oauth.wrong_account");
    assert!(
        personal
            .context()
            .any(|fact| fact == ("organization", "personal account"))
    );

    let other = contoso().check_account(&claims(FABRIKAM)).unwrap_err();
    assert_eq!(other.code(), "oauth.wrong_account");
    let facts: Vec<_> = other.context().collect();
    assert_eq!(facts, [("expected_organization", CONTOSO), ("organization", FABRIKAM)]);
    let shown = format!("{other} {other:?} {personal} {personal:?}");
    assert!(!shown.contains("user@contoso.example"), "{shown}");

    let mut nobody = claims(CONTOSO);
    nobody.other.remove("oid");
    assert_eq!(
        contoso().check_account(&nobody).unwrap_err().code(),
        "oauth.flow.id_token"
    );
}
