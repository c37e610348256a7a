//! Every number of the classification and every answer of Entra that lies in the shared folder (`fixtures/entra`), through the code that
//! reads them. Expectations are those of `business-central.md`, section 9.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use atlas_connectors::connection::Connections;
use atlas_connectors::credential::{KeyRing, OAuthGrant, Refresh as _, Sealer, Vault};
use atlas_connectors::oauth::{
    AdminConsentCallback, Callback, GrantType, IdClaims, OAuthApp, OAuthClient, OAuthProvider as _, ScopePlan,
    ScopeSet, SignIn, SignInRequest, TokenRefusal, Workflow,
};
use atlas_connectors::store::MemoryStore;
use atlas_connectors::testkit::ScriptedTransport;
use atlas_connectors::{ActorId, Error, Result, SessionId, SystemClock, TenantId, Timestamp};
use atlas_connectors_erp::business_central::entra::{BUSINESS_CENTRAL, EntraCode, EntraOAuth, EntraTenant};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const TABLE: &str = "aadsts-classification.json";
const TENANT: &str = "11111111-1111-4111-8111-111111111111";

/// Refusals of the token endpoint: what a code exchange and a refresh become.
const REFUSALS: [(&str, &str, &str); 6] = [
    (
        "65001-consent-required",
        "oauth.access_denied.user",
        "oauth.invalid_grant.revoked",
    ),
    (
        "70000-invalid-grant",
        "oauth.invalid_grant.code",
        "oauth.invalid_grant.revoked",
    ),
    (
        "7000222-secret-expired",
        "oauth.client.credentials",
        "oauth.client.credentials",
    ),
    (
        "700082-refresh-inactive",
        "oauth.invalid_grant.expired",
        "oauth.invalid_grant.expired",
    ),
    ("70011-invalid-scope", "oauth.client.scope", "oauth.client.scope"),
    ("9002313-malformed", "oauth.client.request", "oauth.client.request"),
];
/// Redirects of an administrator's consent.
const CONSENTS: [(&str, &str); 3] = [
    ("adminconsent-granted", "granted"),
    ("adminconsent-denied", "oauth.access_denied.admin"),
    ("adminconsent-v1-denied", "oauth.access_denied.admin"),
];
const OTHERS: [&str; 4] = [
    "authorize-access-denied",
    "devicecode-errors",
    "idtoken-claims",
    "token-success",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = shared().map(|folder| folder.join("fixtures/entra"));
    let mut trials = Vec::new();
    let mut case = |name: String, test: fn(&Value, &str)| {
        let file = folder.as_ref().map(|folder| folder.join(format!("{name}.json")));
        trials.push(trial(file, format!("fixture::{name}"), move |value| test(value, &name)));
    };
    for (name, ..) in REFUSALS {
        case(name.to_owned(), refusal);
    }
    for (name, _) in CONSENTS {
        case(name.to_owned(), admin_consent);
    }
    for name in OTHERS {
        let test = match name {
            "authorize-access-denied" => denied,
            "devicecode-errors" => device,
            "idtoken-claims" => claims,
            _ => success,
        };
        case(name.to_owned(), test);
    }
    for row in EntraCode::all() {
        let file = folder.as_ref().map(|folder| folder.join(TABLE));
        let name = format!("number::{}", row.number);
        trials.push(trial(file, name, move |value| number(value, row)));
    }
    if let Some(folder) = folder {
        trials.push(Trial::test("none_is_left_out", move || left_out(&folder)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(file: Option<PathBuf>, name: String, test: impl FnOnce(&Value) + Send + 'static) -> Trial {
    let absent = file.is_none();
    let trial = Trial::test(name, move || {
        let file = file.ok_or("the shared folder is absent")?;
        test(&serde_json::from_slice(&std::fs::read(file)?)?);
        Ok(())
    });
    match absent {
        true => trial
            .with_kind("shared folder absent, see ATLAS_SHARED")
            .with_ignored_flag(true),
        false => trial,
    }
}

fn left_out(folder: &Path) -> Result<(), Failed> {
    let known: BTreeSet<String> = REFUSALS
        .iter()
        .map(|(name, ..)| *name)
        .chain(CONSENTS.iter().map(|(name, _)| *name))
        .chain(OTHERS)
        .map(|name| format!("{name}.json"))
        .chain([TABLE.to_owned()])
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(found, known);
    let table: Value = serde_json::from_slice(&std::fs::read(folder.join(TABLE))?)?;
    let numbers = table["codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["code"].as_u64().unwrap());
    let numbers: BTreeSet<u64> = numbers.collect();
    let ours: BTreeSet<u64> = EntraCode::all().iter().map(|row| u64::from(row.number)).collect();
    assert_eq!(numbers, ours);
    for (error, class) in table["fallbackByError"].as_object().unwrap() {
        fallback(error, class.as_str().unwrap());
    }
    Ok(())
}

/// What an `error` alone becomes at a code exchange, in the words of the table.
fn fallback(error: &str, class: &str) {
    let refusal = TokenRefusal::new(GrantType::AuthorizationCode, 400, error);
    let code = entra().classify_token_error(&refusal).code();
    let prefix = match class {
        "access_denied" => "oauth.access_denied.",
        "invalid_grant" => "oauth.invalid_grant.",
        "misconfigured_client" => "oauth.client.",
        // Nothing is decided: the same question again.
        "pending" | "transient" => "oauth.transient",
        other => return assert_eq!(other, "a class that is known"),
    };
    assert!(code.starts_with(prefix), "{error} is {class}, not {code}");
}

fn number(table: &Value, row: &EntraCode) {
    let rows = table["codes"].as_array().unwrap();
    let found = rows.iter().find(|found| found["code"] == row.number).unwrap();
    assert_eq!(found["class"], row.class.code());
    assert_eq!(found["action"], row.action.code());
}

fn refusal(fixture: &Value, name: &str) {
    let (_, at_code, at_refresh) = REFUSALS.into_iter().find(|(known, ..)| *known == name).unwrap();
    let body = &fixture["response"]["body"];
    let status = u16::try_from(fixture["response"]["status"].as_u64().unwrap()).unwrap();

    let codes: Vec<u64> = body["error_codes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    let exchange = TokenRefusal::new(GrantType::AuthorizationCode, status, body["error"].as_str().unwrap())
        .with_description(body["error_description"].as_str())
        .with_suberror(body["suberror"].as_str())
        .with_codes(&codes);
    assert_eq!(entra().classify_token_error(&exchange).code(), at_code);

    let app = app(ScriptedTransport::new().with_json(status, body.to_string()));
    let error = block_on(app.refresher().refresh(&grant())).unwrap_err();
    assert_eq!((error.code(), error.status()), (at_refresh, Some(status)));
    assert_eq!(error.provider_code().unwrap().as_str(), body["error"].as_str().unwrap());
    let shown = format!("{error} {error:?}");
    let description = body["error_description"].as_str().unwrap();
    assert!(!shown.contains(description.get(..20).unwrap()), "{shown}");
}

fn admin_consent(fixture: &Value, name: &str) {
    let (_, expected) = CONSENTS.into_iter().find(|(known, _)| *known == name).unwrap();
    let sign_in = sign_in();
    let (actor, session) = (ActorId::new("u-1"), SessionId::new("s-1"));
    let redirect = "http://localhost/myapp/permissions".parse().unwrap();
    let workflows = [Workflow::ReadRecords];
    let begun = sign_in.begin_admin_consent(
        TenantId::new("acme"),
        actor.clone(),
        session.clone(),
        redirect,
        &workflows,
    );
    let begun = block_on(begun).unwrap();
    let callback = AdminConsentCallback::from_url(&answered(fixture, &begun.url)).unwrap();
    assert_eq!(callback.is_granted(), expected == "granted");
    let result = block_on(sign_in.complete_admin_consent(callback, &actor, &session));
    assert_eq!(result.as_ref().map_or_else(Error::code, |()| "granted"), expected);
}

fn denied(fixture: &Value, _: &str) {
    let sign_in = sign_in();
    let (actor, session) = (ActorId::new("u-1"), SessionId::new("s-1"));
    let redirect = "http://localhost".parse().unwrap();
    let workflows = [Workflow::ReadRecords];
    let request = SignInRequest::connect(
        TenantId::new("acme"),
        actor.clone(),
        session.clone(),
        redirect,
        workflows,
    );
    let begun = block_on(sign_in.begin(request)).unwrap();
    let callback = Callback::from_url(&answered(fixture, &begun.url)).unwrap();
    let error = block_on(sign_in.complete(callback, &actor, &session)).unwrap_err();
    assert_eq!(error.code(), "oauth.access_denied.user");
}

fn device(fixture: &Value, _: &str) {
    let errors = fixture["errors"].as_object().unwrap();
    let expected = [
        ("authorization_pending", "oauth.transient"),
        ("authorization_declined", "oauth.access_denied.user"),
        ("bad_verification_code", "oauth.client.request"),
        ("expired_token", "oauth.invalid_grant.code"),
    ];
    assert_eq!(errors.len(), expected.len());
    for (error, code) in expected {
        assert!(errors.contains_key(error));
        let refusal = TokenRefusal::new(GrantType::DeviceCode, 400, error);
        assert_eq!(entra().classify_token_error(&refusal).code(), code);
    }
}

fn claims(fixture: &Value, _: &str) {
    let claims: IdClaims = serde_json::from_value(fixture["claims"].clone()).unwrap();
    let entra = entra();
    assert!(entra.accepts_issuer(&claims));
    entra.check_account(&claims).unwrap();
    let identity = entra.identity(&claims);
    let wanted = format!("{TENANT}/{}", claims.text("oid").unwrap());
    assert_eq!(identity.subject, wanted);
    assert_eq!(identity.address.as_deref(), claims.text("preferred_username"));

    let consumers = fixture["consumerTenant"].as_str().unwrap();
    let mut personal = claims.with("tid", consumers);
    personal.issuer = format!("https://login.microsoftonline.com/{consumers}/v2.0");
    assert!(entra.accepts_issuer(&personal));
    assert_eq!(
        entra.check_account(&personal).unwrap_err().code(),
        "oauth.wrong_account"
    );
    assert_eq!(EntraTenant::id(consumers).unwrap_err().code(), "invalid");
}

fn success(fixture: &Value, _: &str) {
    let app = app(ScriptedTransport::new().with_json(200, fixture["response"]["body"].to_string()));
    let renewed = block_on(app.refresher().refresh(&grant())).unwrap();
    assert_eq!(renewed.expires_in.unwrap().as_secs(), 3_599);
    assert!(renewed.refresh_token.is_some());
    let plan = ScopePlan::new(&entra(), &[Workflow::ReadRecords]).unwrap();
    let report = plan.compare(&entra(), &renewed.scopes.unwrap());
    assert!(report.missing.is_empty() && report.excess.is_empty(), "{report:?}");
}

/// The recorded redirect, as the answer to this request: with its state.
fn answered(fixture: &Value, asked: &url::Url) -> url::Url {
    let mut back: url::Url = fixture["redirect"].as_str().unwrap().parse().unwrap();
    let (_, state) = asked.query_pairs().find(|(name, _)| name == "state").unwrap();
    let others = back.query_pairs().into_owned().filter(|(name, _)| name != "state");
    let others: Vec<_> = others.collect();
    back.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair("state", &state);
    back
}

fn entra() -> EntraOAuth {
    EntraOAuth::new(EntraTenant::Organizations).unwrap()
}

fn app(transport: ScriptedTransport) -> OAuthApp {
    let client = OAuthClient::new("client", "secret".into());
    OAuthApp::new(Arc::new(entra()), client, Arc::new(transport)).unwrap()
}

fn grant() -> OAuthGrant {
    let scopes = ScopeSet::parse(&format!("{BUSINESS_CENTRAL}/.default"));
    OAuthGrant::new("access".into(), scopes, Timestamp::from_unix_seconds(1_790_000_000)).with_refresh_token("r".into())
}

fn sign_in() -> SignIn {
    let store = MemoryStore::new();
    let vault = Vault::new(
        Arc::new(store.clone()),
        Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap(),
    );
    let connections = Connections::new(Arc::new(store.clone()), vault, Arc::new(SystemClock));
    SignIn::new(app(ScriptedTransport::new()), connections, Arc::new(store))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the environment says where the shared folder is"
)]
fn shared() -> Option<PathBuf> {
    let folder = match std::env::var_os("ATLAS_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    folder.join("fixtures/entra").is_dir().then_some(folder)
}
