//! The cookies of one session, and the transport that keeps them up to date.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use atlas_connectors::Result;
use atlas_connectors::http::{ByteStream, HttpTransport};
use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response};
use secrecy::{ExposeSecret as _, SecretString};

/// Cookies of one session at most, and characters of all together.
const MOST: usize = 64;
const LONGEST: usize = 16 * 1024;
/// The header that carries the token, and the value that asks for one.
pub(super) const TOKEN_HEADER: &str = "x-csrf-token";
pub(super) const FETCH: &str = "Fetch";

/// What the server wants to see again: all its cookies whatever their names, and the token that belongs to them.
///
/// No name is assumed: SAP changed names on purpose and told clients to send back everything (`sap-odata.md`, section 5).
/// `Debug` shows counts only.
#[derive(Clone, Default)]
pub(super) struct Jar(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cookies: BTreeMap<String, SecretString>,
    token: Token,
    /// Rises with every fetch.
    fetched: u64,
}

/// What is known of the token.
#[derive(Clone, Default)]
pub(super) enum Token {
    /// Not asked for yet.
    #[default]
    Unknown,
    /// Asked for, and the server gave none: writes go without.
    NotNeeded,
    /// Given.
    Given(SecretString),
}

/// Cookies and token that belong together.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) cookies: Option<HeaderValue>,
    pub(super) token: Token,
    pub(super) fetched: u64,
}

impl Jar {
    /// What to send now.
    pub(super) fn held(&self) -> Held {
        let state = self.state();
        Held {
            cookies: state.header(),
            token: state.token.clone(),
            fetched: state.fetched,
        }
    }

    /// Keeps the answer to a fetch. Its cookies have been kept on the way.
    pub(super) fn fetched(&self, token: Option<SecretString>) {
        let mut state = self.state();
        state.token = token.map_or(Token::NotNeeded, Token::Given);
        state.fetched = state.fetched.saturating_add(1);
    }

    /// Keeps the cookies of an answer, unless its request went out under other cookies than are held now: a session
    /// that was begun beside ours must not replace it, or its token would no longer fit.
    fn absorb(&self, sent: Option<&HeaderValue>, answer: &HeaderMap) {
        if !answer.contains_key(SET_COOKIE) {
            return;
        }
        let mut state = self.state();
        if state.header().as_ref() != sent {
            return;
        }
        for cookie in answer.get_all(SET_COOKIE) {
            if let Some((name, value)) = cookie.to_str().ok().and_then(parse) {
                match value {
                    Some(value) if state.has_room(&name, &value) => {
                        state.cookies.insert(name, value.into());
                    }
                    Some(_) => {}
                    None => {
                        state.cookies.remove(&name);
                    }
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Jar")
            .field("cookies", &state.cookies.len())
            .field("token", &matches!(state.token, Token::Given(_)))
            .field("fetched", &state.fetched)
            .finish()
    }
}

impl State {
    fn header(&self) -> Option<HeaderValue> {
        let mut line = String::new();
        for (name, value) in &self.cookies {
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(name);
            line.push('=');
            line.push_str(value.expose_secret());
        }
        if line.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&line).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn has_room(&self, name: &str, value: &str) -> bool {
        let held: usize = self
            .cookies
            .iter()
            .map(|(name, value)| name.len() + value.expose_secret().len())
            .sum();
        let known = self.cookies.contains_key(name);
        (known || self.cookies.len() < MOST) && held + name.len() + value.len() <= LONGEST
    }
}

/// Name and value of a `Set-Cookie` line; no value where it takes the cookie away.
fn parse(line: &str) -> Option<(String, Option<String>)> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let name = name.trim();
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | ',' | '=');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let over = parts.any(|attribute| match attribute.split_once('=') {
        Some((key, seconds)) if key.trim().eq_ignore_ascii_case("max-age") => {
            seconds.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
        }
        // A date of the past is how servers without Max-Age take a cookie away; they write the epoch's year.
        Some((key, date)) if key.trim().eq_ignore_ascii_case("expires") => date.contains("1970"),
        _ => false,
    });
    let value = value.trim();
    Some((name.to_owned(), (!over).then(|| value.to_owned())))
}

/// Adds nothing to a request, and keeps the cookies of every answer, refusals included: a 403 may begin a session
/// (`sap-odata.md`, section 5).
#[derive(Debug)]
pub(super) struct CookieTransport {
    pub(super) inner: Arc<dyn HttpTransport>,
    pub(super) jar: Jar,
}

#[async_trait]
impl HttpTransport for CookieTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let sent = request.headers().get(COOKIE).cloned();
        let answer = self.inner.send(request).await?;
        self.jar.absorb(sent.as_ref(), answer.headers());
        Ok(answer)
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        let sent = request.headers().get(COOKIE).cloned();
        let answer = self.inner.send_streaming(request).await?;
        self.jar.absorb(sent.as_ref(), answer.headers());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie.parse().unwrap());
        }
        headers
    }

    fn line(jar: &Jar) -> String {
        jar.held()
            .cookies
            .map_or_else(String::new, |line| line.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_cookie_is_kept_whatever_its_name() {
        let jar = Jar::default();
        jar.absorb(
            None,
            &answer(&[
                "sap-usercontext=sap-client=100; path=/",
                "sap-XSRF_S4H_100=abc==; path=/sap/opu; secure; HttpOnly",
                "JSESSIONID=s%3A1; Path=/; HttpOnly",
                "broken",
            ]),
        );
        assert_eq!(
            line(&jar),
            "JSESSIONID=s%3A1; sap-XSRF_S4H_100=abc==; sap-usercontext=sap-client=100"
        );
        assert_eq!(format!("{jar:?}"), "Jar { cookies: 3, token: false, fetched: 0 }");
        let held = jar.held().cookies;
        jar.absorb(
            held.as_ref(),
            &answer(&[
                "JSESSIONID=; Max-Age=0",
                "sap-XSRF_S4H_100=x; expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ]),
        );
        assert_eq!(line(&jar), "sap-usercontext=sap-client=100");
    }

    #[test]
    fn a_session_begun_beside_ours_does_not_replace_it() {
        let jar = Jar::default();
        jar.absorb(None, &answer(&["SESSION=one"]));
        // A second request that had left without cookies comes back with its own session.
        jar.absorb(None, &answer(&["SESSION=two"]));
        assert_eq!(line(&jar), "SESSION=one");
        // One that went out under ours may renew it.
        let held = jar.held().cookies;
        jar.absorb(held.as_ref(), &answer(&["SESSION=three"]));
        assert_eq!(line(&jar), "SESSION=three");
    }

    #[test]
    fn the_jar_is_bounded() {
        let jar = Jar::default();
        for number in 0..200 {
            let held = jar.held().cookies;
            jar.absorb(held.as_ref(), &answer(&[&format!("c{number}=1")]));
        }
        assert_eq!(jar.state().cookies.len(), MOST);
        let held = jar.held().cookies;
        jar.absorb(held.as_ref(), &answer(&[&format!("c0={}", "x".repeat(LONGEST))]));
        assert!(line(&jar).len() < 1_000);
    }
}
