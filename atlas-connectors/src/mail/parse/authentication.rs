//! Reading `Authentication-Results` (RFC 8601).

use crate::mail::{AuthVerdict, Authentication, Headers};

/// The results of the topmost field of a trusted server.
pub(super) fn read(headers: &Headers, trusted: &[String]) -> Option<Authentication> {
    headers.all("Authentication-Results").find_map(|value| {
        let value = without_comments(value);
        let mut parts = value.split(';');
        let server = parts.next()?.split_whitespace().next()?;
        let is_trusted = trusted.iter().any(|name| name.eq_ignore_ascii_case(server));
        is_trusted.then(|| results(server, parts))
    })
}

fn results<'a>(server: &str, parts: impl Iterator<Item = &'a str>) -> Authentication {
    let mut found = Authentication::new(server.to_ascii_lowercase());
    for part in parts {
        let mut words = part.split_whitespace();
        let Some((method, verdict)) = words.next().and_then(|word| word.split_once('=')) else {
            continue;
        };
        let verdict = AuthVerdict::from_word(verdict);
        // "dkim/1" names the version of the method.
        match method
            .split('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "spf" => found.spf = found.spf.or(Some(verdict)),
            "dmarc" => found.dmarc = found.dmarc.or(Some(verdict)),
            "dkim" => {
                let passed = verdict == AuthVerdict::Pass;
                found.dkim = if passed {
                    Some(verdict)
                } else {
                    found.dkim.or(Some(verdict))
                };
                if passed {
                    found.dkim_domains.extend(signing_domain(words));
                }
            }
            _ => {}
        }
    }
    found
}

/// `header.d=example.org`, or the domain of `header.i=@example.org`.
fn signing_domain<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut identity = None;
    for word in words {
        match word.split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("header.d") => return Some(value.to_ascii_lowercase()),
            Some((key, value)) if key.eq_ignore_ascii_case("header.i") => {
                identity = value.rsplit('@').next().map(str::to_ascii_lowercase);
            }
            _ => {}
        }
    }
    identity
}

/// Comments in parentheses out; they may nest and hold anything, quoted strings are left alone.
fn without_comments(value: &str) -> String {
    let mut kept = String::with_capacity(value.len());
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for c in value.chars() {
        let literal = std::mem::take(&mut escaped);
        match c {
            '\\' if !literal => escaped = true,
            '"' if depth == 0 && !literal => quoted = !quoted,
            '(' if !quoted && !literal => depth += 1,
            ')' if !quoted && !literal && depth > 0 => {
                depth -= 1;
                kept.push(' ');
            }
            // A semicolon in a quoted string separates nothing.
            ';' if quoted => {}
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Header;

    fn headers(values: &[&str]) -> Headers {
        let header = |value: &&str| Header {
            name: "Authentication-Results".into(),
            value: (*value).into(),
        };
        Headers::new(values.iter().map(header).collect())
    }

    #[test]
    fn only_a_trusted_server_is_believed_and_only_its_topmost_field() {
        let forged = "mx.google.com; dkim=pass header.d=bank.example; spf=pass; dmarc=pass";
        let real = "mx.google.com;\tdkim=fail (bad; signature (x)) header.i=@shop.example header.s=k;\
            dkim=pass header.i=@mailer.example; spf=softfail (google.com: 1.2.3.4 = pass) smtp.mailfrom=a@shop.example; \
            dmarc=fail (p=NONE) header.from=bank.example";
        let trusted = vec!["MX.google.com".to_owned()];
        let found = read(&headers(&["evil.example; dmarc=pass", real, forged]), &trusted).unwrap();
        assert_eq!(found.server, "mx.google.com");
        assert_eq!(found.spf, Some(AuthVerdict::SoftFail));
        assert_eq!(found.dkim, Some(AuthVerdict::Pass));
        assert_eq!(found.dkim_domains, ["mailer.example"]);
        assert_eq!(found.dmarc, Some(AuthVerdict::Fail));
        assert!(!found.is_from_verified());
        assert_eq!(read(&headers(&[forged]), &[]), None);
        assert_eq!(
            read(&headers(&["mx.google.com.evil.example; dmarc=pass"]), &trusted),
            None
        );
        assert_eq!(read(&headers(&["\"mx.google.com\" x; dmarc=pass"]), &[]), None);
    }

    #[test]
    fn words_of_the_registry() {
        assert_eq!(AuthVerdict::from_word("PermError"), AuthVerdict::PermError);
        assert_eq!(AuthVerdict::from_word("new-word"), AuthVerdict::Other);
    }
}
