//! Automation, lists, invitations and protection, from headers and outline.

use crate::mail::parse::structure::Entity;
use crate::mail::{Automation, Calendar, Headers, MailingList, Protection};

/// Whether a program sent it.
pub(super) fn automation(headers: &Headers) -> Option<Automation> {
    let word = |name: &str| {
        headers.first(name).map(|value| {
            let word: String = value
                .trim()
                .chars()
                .take_while(|c| !c.is_whitespace() && !matches!(c, ';' | '('))
                .collect();
            word.to_ascii_lowercase()
        })
    };
    match word("Auto-Submitted").as_deref() {
        Some("auto-replied") => return Some(Automation::Replied),
        Some("no" | "") | None => {}
        // RFC 5436 and private words: all of them say that no person wrote it.
        Some(_) => return Some(Automation::Generated),
    }
    let marks = [
        "X-Autoreply",
        "X-Autorespond",
        "X-Auto-Reply",
        "X-Autoresponder",
        "X-AutoReply-From",
    ];
    let is_marked = marks
        .iter()
        .any(|name| word(name).is_some_and(|word| !matches!(word.as_str(), "no" | "false" | "0")));
    // Set by programs on mail that no program is to answer (MS-OXCMAIL).
    let suppresses = headers.first("X-Auto-Response-Suppress").is_some_and(|value| {
        value
            .split(',')
            .any(|word| matches!(word.trim().to_ascii_lowercase().as_str(), "all" | "autoreply"))
    });
    match word("Precedence").as_deref() {
        Some("auto_reply" | "auto-reply") => Some(Automation::Marked),
        _ if is_marked || suppresses => Some(Automation::Marked),
        Some("bulk" | "junk") => Some(Automation::Bulk),
        _ => None,
    }
}

/// The list it came through.
pub(super) fn mailing_list(headers: &Headers) -> Option<MailingList> {
    let is_list = headers.contains("List-Id")
        || headers.contains("List-Unsubscribe")
        || headers.contains("List-Post")
        || headers
            .first("Precedence")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("list"));
    if !is_list {
        return None;
    }
    let id = headers.first("List-Id").map(|value| {
        let inner = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
        inner.map_or(value, |(inner, _)| inner).trim().to_owned()
    });
    let unsubscribe = headers
        .first("List-Unsubscribe")
        .map(unsubscribe_addresses)
        .unwrap_or_default();
    let one_click = headers
        .first("List-Unsubscribe-Post")
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("List-Unsubscribe=One-Click"));
    Some(MailingList::new(id, unsubscribe, one_click))
}

fn unsubscribe_addresses(value: &str) -> Vec<String> {
    value
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(address, _)| address.split_whitespace().collect::<String>())
        .filter(|address| {
            let scheme = address.split(':').next().unwrap_or_default();
            ["https", "http", "mailto"]
                .iter()
                .any(|allowed| scheme.eq_ignore_ascii_case(allowed))
        })
        .take(10)
        .collect()
}

/// The first calendar object of the message itself.
pub(super) fn calendar(entities: &[Entity<'_>]) -> Option<Calendar> {
    let entity = entities
        .iter()
        .find(|entity| entity.message_depth == 0 && entity.is("text", "calendar"))?;
    let declared = entity.content_type.parameter("method").map(str::to_owned);
    let method = declared.or_else(|| {
        let (bytes, _) = entity.transfer.decode(entity.body);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines()
            .find_map(|line| line.strip_prefix("METHOD:").map(|method| method.trim().to_owned()))
    });
    let method = method.map(|method| {
        let word = method
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(40);
        word.collect::<String>().to_ascii_uppercase()
    });
    Some(Calendar::new(method, entity.path.as_str().into()))
}

/// How it is signed or encrypted, by the outermost part that says so, or by the armour of its text.
pub(super) fn protection(entities: &[Entity<'_>], text: Option<&str>) -> Option<Protection> {
    let by_structure = entities
        .iter()
        .filter(|entity| entity.message_depth == 0)
        .find_map(|entity| {
            let content_type = &entity.content_type;
            let subtype = content_type.subtype.as_deref().unwrap_or_default();
            let protocol = content_type
                .parameter("protocol")
                .unwrap_or_default()
                .to_ascii_lowercase();
            match (content_type.value.as_str(), subtype) {
                ("multipart", "signed") if protocol.contains("pgp") => Some(Protection::PgpSigned),
                ("multipart", "signed") => Some(Protection::SmimeSigned),
                ("multipart", "encrypted") => Some(Protection::PgpEncrypted),
                ("application", "pkcs7-mime" | "x-pkcs7-mime") => {
                    let kind = content_type
                        .parameter("smime-type")
                        .unwrap_or_default()
                        .to_ascii_lowercase();
                    Some(if kind == "signed-data" {
                        Protection::SmimeSigned
                    } else {
                        Protection::SmimeEncrypted
                    })
                }
                _ => None,
            }
        });
    by_structure.or_else(|| {
        let text = text?.trim_start();
        if text.starts_with("-----BEGIN PGP MESSAGE-----") {
            Some(Protection::PgpEncrypted)
        } else if text.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
            Some(Protection::PgpSigned)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Header;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).into(),
            value: (*value).into(),
        };
        Headers::new(fields.iter().map(header).collect())
    }

    #[test]
    fn automation_by_header() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<Automation>);
        let cases: [Case<'_>; 10] = [
            (&[], None),
            (&[("Auto-Submitted", "no")], None),
            (
                &[("Auto-Submitted", "auto-replied (vacation)")],
                Some(Automation::Replied),
            ),
            (
                &[("Auto-Submitted", "auto-generated; owner-email=x")],
                Some(Automation::Generated),
            ),
            (&[("auto-submitted", "Auto-Notified")], Some(Automation::Generated)),
            (&[("X-Autoreply", "yes")], Some(Automation::Marked)),
            (&[("Precedence", "auto_reply")], Some(Automation::Marked)),
            (
                &[("X-Auto-Response-Suppress", "OOF, AutoReply")],
                Some(Automation::Marked),
            ),
            (&[("Precedence", "bulk")], Some(Automation::Bulk)),
            (&[("Precedence", "list")], None),
        ];
        for (fields, expected) in cases {
            assert_eq!(automation(&headers(fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn lists_give_only_addresses_that_can_be_opened() {
        let list = mailing_list(&headers(&[
            ("List-Id", "Trade fair <news.fair.example>"),
            (
                "List-Unsubscribe",
                "<javascript:alert(1)>, <https://fair.example/u>, <mailto:u@fair.example>",
            ),
        ]));
        let list = list.unwrap();
        assert_eq!(list.id.as_deref(), Some("news.fair.example"));
        assert_eq!(list.unsubscribe, ["https://fair.example/u", "mailto:u@fair.example"]);
        assert!(!list.one_click);
    }
}
