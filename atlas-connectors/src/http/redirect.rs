//! Answers that want to send us elsewhere.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use crate::error::{Effect, EgressRule, Error, Result};

/// Refuses an answer that names another place to ask, telling the host it named and nothing more of it.
///
/// Google's resumable upload answers 308 without a `Location` for "go on": that is a status like any other.
pub(crate) fn refuse_redirect(operation: &'static str, status: StatusCode, headers: &HeaderMap) -> Result<()> {
    let Some(location) = headers.get(LOCATION).filter(|_| status.is_redirection()) else {
        return Ok(());
    };
    // 307 and 308 say that nothing was done here; after 301, 302 and 303 the first server may have acted.
    let effect = match status.as_u16() {
        307 | 308 => Effect::None,
        _ => Effect::Unknown,
    };
    let mut error = Error::new(EgressRule::Redirect, operation)
        .with_status(status.as_u16())
        .with_effect(effect);
    let host = location.to_str().ok().and_then(|text| url::Url::parse(text).ok());
    if let Some(host) = host.as_ref().and_then(url::Url::host_str) {
        error = error.with_context("host", host);
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: Option<&str>) -> Result<()> {
        let mut headers = HeaderMap::new();
        if let Some(location) = location {
            headers.insert(LOCATION, location.parse().unwrap());
        }
        refuse_redirect("test", StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn every_redirect_is_refused_and_names_the_host_only() {
        for status in [300, 301, 302, 303, 307, 308] {
            let error = answer(status, Some("https://evil.example/path?token=s3cret#f")).unwrap_err();
            assert_eq!(error.code(), "egress.redirect");
            let text = format!("{error} {error:?}");
            assert!(text.contains("evil.example"), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("path"), "{text}");
        }
    }

    #[test]
    fn only_307_and_308_prove_that_nothing_was_done() {
        let effect = |status| answer(status, Some("/elsewhere")).unwrap_err().effect();
        assert_eq!(effect(308), Effect::None);
        assert_eq!(effect(307), Effect::None);
        assert_eq!(effect(302), Effect::Unknown);
        assert_eq!(effect(303), Effect::Unknown);
    }

    #[test]
    fn a_resumable_upload_goes_on_and_other_answers_pass() {
        assert!(answer(308, None).is_ok());
        assert!(answer(304, None).is_ok());
        assert!(answer(201, Some("https://api.example.com/created/1")).is_ok());
    }
}
