//! From a path to a method of the discovery document, and which scopes open it.

use super::auth::Scopes;

/// A Gmail method with the pieces of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Its id in the discovery document, such as `gmail.users.messages.get`.
    pub(super) method: &'static str,
    /// `me`, or an address.
    pub(super) user: String,
    /// The first id in the path: message, thread, draft, label or send-as address.
    pub(super) id: String,
    /// The second id in the path: the attachment.
    pub(super) second: String,
    /// Whether the path is the upload one.
    pub(super) upload: bool,
}

pub(super) fn gmail(http: &str, path: &str) -> Option<Route> {
    let (upload, rest) = match path.strip_prefix("/upload") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    let mut pieces = rest.strip_prefix("/gmail/v1/users/")?.split('/').map(decoded);
    let user = pieces.next()?;
    let pieces: Vec<String> = pieces.collect();
    let words: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let (method, id, second) = match (http, words.as_slice()) {
        ("GET", ["profile"]) => ("gmail.users.getProfile", "", ""),
        ("POST", ["watch"]) => ("gmail.users.watch", "", ""),
        ("POST", ["stop"]) => ("gmail.users.stop", "", ""),
        ("GET", ["history"]) => ("gmail.users.history.list", "", ""),
        ("GET", ["messages"]) => ("gmail.users.messages.list", "", ""),
        ("POST" | "PUT", ["messages"]) => ("gmail.users.messages.insert", "", ""),
        ("POST" | "PUT", ["messages", "import"]) => ("gmail.users.messages.import", "", ""),
        ("POST" | "PUT", ["messages", "send"]) => ("gmail.users.messages.send", "", ""),
        ("POST", ["messages", "batchModify"]) => ("gmail.users.messages.batchModify", "", ""),
        ("POST", ["messages", "batchDelete"]) => ("gmail.users.messages.batchDelete", "", ""),
        ("GET", ["messages", id]) => ("gmail.users.messages.get", *id, ""),
        ("DELETE", ["messages", id]) => ("gmail.users.messages.delete", *id, ""),
        ("POST", ["messages", id, "modify"]) => ("gmail.users.messages.modify", *id, ""),
        ("POST", ["messages", id, "trash"]) => ("gmail.users.messages.trash", *id, ""),
        ("POST", ["messages", id, "untrash"]) => ("gmail.users.messages.untrash", *id, ""),
        ("GET", ["messages", id, "attachments", part]) => ("gmail.users.messages.attachments.get", *id, *part),
        ("GET", ["threads"]) => ("gmail.users.threads.list", "", ""),
        ("GET", ["threads", id]) => ("gmail.users.threads.get", *id, ""),
        ("DELETE", ["threads", id]) => ("gmail.users.threads.delete", *id, ""),
        ("POST", ["threads", id, "modify"]) => ("gmail.users.threads.modify", *id, ""),
        ("POST", ["threads", id, "trash"]) => ("gmail.users.threads.trash", *id, ""),
        ("POST", ["threads", id, "untrash"]) => ("gmail.users.threads.untrash", *id, ""),
        ("GET", ["labels"]) => ("gmail.users.labels.list", "", ""),
        ("POST", ["labels"]) => ("gmail.users.labels.create", "", ""),
        ("GET", ["labels", id]) => ("gmail.users.labels.get", *id, ""),
        ("PUT", ["labels", id]) => ("gmail.users.labels.update", *id, ""),
        ("PATCH", ["labels", id]) => ("gmail.users.labels.patch", *id, ""),
        ("DELETE", ["labels", id]) => ("gmail.users.labels.delete", *id, ""),
        ("GET", ["drafts"]) => ("gmail.users.drafts.list", "", ""),
        ("POST" | "PUT", ["drafts"]) => ("gmail.users.drafts.create", "", ""),
        ("POST" | "PUT", ["drafts", "send"]) => ("gmail.users.drafts.send", "", ""),
        ("GET", ["drafts", id]) => ("gmail.users.drafts.get", *id, ""),
        ("PUT", ["drafts", id]) => ("gmail.users.drafts.update", *id, ""),
        ("DELETE", ["drafts", id]) => ("gmail.users.drafts.delete", *id, ""),
        ("GET", ["settings", "sendAs"]) => ("gmail.users.settings.sendAs.list", "", ""),
        ("GET", ["settings", "sendAs", id]) => ("gmail.users.settings.sendAs.get", *id, ""),
        ("GET", ["settings", "vacation"]) => ("gmail.users.settings.getVacation", "", ""),
        _ => return None,
    };
    Some(Route {
        method,
        user,
        id: id.to_owned(),
        second: second.to_owned(),
        upload,
    })
}

/// Whether a token with these scopes may call the method. Source: the `scopes` lists of the discovery document,
/// revision 20261005.
pub(super) fn allowed(method: &str, scopes: &Scopes) -> bool {
    let has = |name: &str| match name {
        "full" => scopes.contains("https://mail.google.com/"),
        _ => scopes.contains(&format!("https://www.googleapis.com/auth/gmail.{name}")),
    };
    let any = |names: &[&str]| has("full") || names.iter().any(|name| has(name));
    let Some(name) = method.strip_prefix("gmail.users.") else {
        return true;
    };
    match name {
        "getProfile" => any(&["compose", "metadata", "modify", "readonly"]),
        "watch" | "stop" | "history.list" | "messages.list" | "messages.get" | "threads.list" | "threads.get" => {
            any(&["metadata", "modify", "readonly"])
        }
        "messages.attachments.get" => any(&["modify", "readonly"]),
        "drafts.get" | "drafts.list" => any(&["compose", "modify", "readonly"]),
        "drafts.create" | "drafts.update" | "drafts.delete" | "drafts.send" => any(&["compose", "modify"]),
        "messages.send" => any(&["compose", "modify", "send"]),
        "messages.import" | "messages.insert" => any(&["insert", "modify"]),
        "messages.delete" | "messages.batchDelete" | "threads.delete" => has("full"),
        "labels.list" | "labels.get" => any(&["labels", "metadata", "modify", "readonly"]),
        _ if name.starts_with("labels.") => any(&["labels", "modify"]),
        _ if name.starts_with("settings.") => any(&["modify", "readonly", "settings.basic"]),
        _ => any(&["modify"]),
    }
}

fn decoded(piece: &str) -> String {
    // A form decoder would turn a plus sign into a space; a path keeps it.
    let escaped = piece.replace('+', "%2B");
    url::form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map(|(text, _)| text.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_methods() {
        let of = |http, path| gmail(http, path).map(|route| (route.method, route.id, route.upload));
        assert_eq!(
            of(
                "GET",
                "/gmail/v1/users/me/messages/18f0?format=raw".split('?').next().unwrap()
            ),
            Some(("gmail.users.messages.get", "18f0".to_owned(), false))
        );
        assert_eq!(
            of("POST", "/upload/gmail/v1/users/me/messages/send"),
            Some(("gmail.users.messages.send", String::new(), true))
        );
        assert_eq!(of("GET", "/gmail/v1/users/me/nope"), None);
        assert_eq!(
            gmail("GET", "/gmail/v1/users/a%2Bb%40c.example/profile").unwrap().user,
            "a+b@c.example"
        );
    }

    #[test]
    fn scopes_open_what_the_discovery_document_says() {
        let with = |name: &str| Scopes::from([format!("https://www.googleapis.com/auth/gmail.{name}")]);
        for (scope, method, open) in [
            ("send", "gmail.users.messages.send", true),
            ("send", "gmail.users.drafts.send", false),
            ("send", "gmail.users.getProfile", false),
            ("readonly", "gmail.users.messages.get", true),
            ("readonly", "gmail.users.messages.modify", false),
            ("metadata", "gmail.users.messages.attachments.get", false),
            ("modify", "gmail.users.messages.delete", false),
            ("compose", "gmail.users.messages.list", false),
            ("labels", "gmail.users.labels.create", true),
        ] {
            assert_eq!(allowed(method, &with(scope)), open, "{scope} {method}");
        }
    }
}
