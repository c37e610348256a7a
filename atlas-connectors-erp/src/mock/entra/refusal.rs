//! Refusals as Entra writes them.

use atlas_connectors::testkit::server::{Answer, Fault};
use serde_json::{Value, json};

/// A refusal of the token endpoint, or of the sign-in page in a redirect.
///
/// ```
/// use atlas_connectors_erp::mock::entra::Refusal;
///
/// let refused = Refusal::of(50_076).with_claims(r#"{"access_token":{}}"#);
/// assert_eq!((refused.error.as_str(), refused.suberror.as_deref()), ("invalid_grant", Some("basic_action")));
/// assert_eq!(Refusal::new("invalid_client", 7_000_222).with_status(401), Refusal::of(7_000_222));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status at the token endpoint.
    pub status: u16,
    /// `error`.
    pub error: String,
    /// `suberror`.
    pub suberror: Option<String>,
    /// `error_codes`.
    pub codes: Vec<u32>,
    /// `claims`.
    pub claims: Option<String>,
}

impl Refusal {
    /// A refusal with status 400.
    pub fn new(error: impl Into<String>, number: u32) -> Self {
        Self {
            status: 400,
            error: error.into(),
            suberror: None,
            codes: vec![number],
            claims: None,
        }
    }

    /// The refusal as it goes with a number.
    ///
    /// Captured or documented with these words: 65001, 70000 (beside 70002), 70011, 700082, 7000222, 9002313, 50076, 53003, 70016 to 70019.
    /// The `error` of all others is a guess by what they are about.
    pub fn of(number: u32) -> Self {
        let (status, error, suberror) = match number {
            65_001 => (400, "invalid_grant", Some("consent_required")),
            70_000 => {
                let mut both = Self::new("invalid_grant", 70_002);
                both.codes.push(number);
                return both;
            }
            50_076 | 50_079 | 50_158 => (400, "invalid_grant", Some("basic_action")),
            53_000..=53_011 | 530_032..=530_035 => (400, "invalid_grant", Some("message_only")),
            50_173 | 700_082 | 700_084 => (400, "invalid_grant", Some("bad_token")),
            7_000_215 | 7_000_218 | 7_000_222 | 700_025 | 700_027 => (401, "invalid_client", None),
            700_016 | 700_011 | 7_000_112 => (400, "unauthorized_client", None),
            70_011 | 28_002 | 700_022 | 700_023 => (400, "invalid_scope", None),
            500_011 => (400, "invalid_resource", None),
            50_011 | 50_059 | 50_194 | 90_002 | 90_014 | 90_019 | 90_038 | 900_144 | 900_971 | 9_001_023 => {
                (400, "invalid_request", None)
            }
            70_003 => (400, "unsupported_grant_type", None),
            70_016 => (400, "authorization_pending", None),
            70_017 => (400, "authorization_declined", None),
            70_018 => (400, "bad_verification_code", None),
            70_019 => (400, "expired_token", None),
            65_004 => (400, "access_denied", None),
            90_094 | 90_095 | 90_099 => (400, "consent_required", None),
            50_033 | 90_006 | 90_012 | 90_024 | 90_033 | 90_055 | 90_090 | 90_091 => {
                (400, "temporarily_unavailable", None)
            }
            _ => (400, "invalid_grant", None),
        };
        let refusal = Self::new(error, number).with_status(status);
        match suberror {
            Some(suberror) => refusal.with_suberror(suberror),
            None => refusal,
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets the second code.
    #[must_use]
    pub fn with_suberror(mut self, suberror: impl Into<String>) -> Self {
        self.suberror = Some(suberror.into());
        self
    }

    /// Asks for claims (JSON) at the next sign-in.
    #[must_use]
    pub fn with_claims(mut self, claims: impl Into<String>) -> Self {
        self.claims = Some(claims.into());
        self
    }

    /// What is said to people, with the numbers in it.
    pub(super) fn description(&self) -> String {
        let numbers: Vec<String> = self
            .codes
            .iter()
            .map(|number| format!("AADSTS{number}: refused by the mock."))
            .collect();
        format!(
            "{} Trace ID: {TRACE} Correlation ID: {CORRELATION} Timestamp: {TIME}",
            numbers.join(" ")
        )
    }

    /// As the token endpoint answers it.
    pub fn answer(&self) -> Answer {
        let mut body = json!({
            "error": self.error,
            "error_description": self.description(),
            "error_codes": self.codes,
            "timestamp": TIME,
            "trace_id": TRACE,
            "correlation_id": CORRELATION,
        });
        if let Value::Object(body) = &mut body {
            if let Some(number) = self.codes.first() {
                let uri = format!("https://login.microsoftonline.com/error?code={number}");
                body.insert("error_uri".to_owned(), uri.into());
            }
            if let Some(suberror) = &self.suberror {
                body.insert("suberror".to_owned(), suberror.as_str().into());
            }
            if let Some(claims) = &self.claims {
                body.insert("claims".to_owned(), claims.as_str().into());
            }
        }
        Answer::of(self.status, "application/json; charset=utf-8", body.to_string())
            .with_header("cache-control", "no-store, no-cache")
            .with_header("x-ms-request-id", TRACE)
    }
}

const TIME: &str = "2026-11-22 12:00:00Z";
const TRACE: &str = "0000aaaa-11bb-4ccc-8d22-eeeeee333333";
const CORRELATION: &str = "aaaa0000-bb11-4222-83cc-444444dddddd";

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Answer(refusal.answer())
    }
}
