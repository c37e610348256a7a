//! Scopes of one resource, and how Entra writes them.

use atlas_connectors::oauth::{Scope, ScopeSet};
use atlas_connectors::{Error, ErrorKind, Result};

use super::dialect::OPERATION;

/// Business Central's API as a resource: what its scopes begin with.
pub const BUSINESS_CENTRAL: &str = "https://api.businesscentral.dynamics.com";

/// All permissions that the app is registered for.
const DEFAULT: &str = ".default";

/// What tells who came back and keeps the access. `profile` is there for `oid`.
pub(super) const IDENTITY: &str = "openid profile offline_access";

/// `{resource}/.default`.
pub(super) fn default_of(resource: &str) -> Scope {
    Scope::new(format!("{resource}/{DEFAULT}"))
}

/// These permissions of the resource, or everything that is registered where there are none.
///
/// `.default` cannot be asked for beside single permissions (70011), and one request is for one resource (700022).
pub(super) fn of(resource: &str, permissions: &[String]) -> Result<ScopeSet> {
    let refused = |why| {
        Err(Error::new(
            ErrorKind::Invalid {
                what: "permissions",
                why,
            },
            OPERATION,
        ))
    };
    if permissions.is_empty() {
        return Ok([default_of(resource)].into_iter().collect());
    }
    let mut scopes = Vec::with_capacity(permissions.len());
    for permission in permissions {
        let name = match split(permission) {
            Some((of, _)) if !of.eq_ignore_ascii_case(resource) => {
                return refused("a permission of another resource cannot be asked for in the same request");
            }
            Some((_, name)) => name,
            None => permission.as_str(),
        };
        if is_identity(name) {
            return refused("the scopes that tell who came back are asked for anyway");
        }
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return refused("a permission is a name such as Financials.ReadWrite.All");
        }
        if name == DEFAULT && permissions.len() > 1 {
            return refused("`.default` cannot be asked for beside single permissions");
        }
        scopes.push(Scope::new(format!("{resource}/{name}")));
    }
    Ok(scopes.into_iter().collect())
}

/// The scope as it was meant: some answers come percent-encoded.
pub(super) fn normalize(scope: &Scope) -> Scope {
    let text = scope.as_str();
    if !text.contains('%') {
        return scope.clone();
    }
    let decoded = text
        .replace("%3A", ":")
        .replace("%3a", ":")
        .replace("%2F", "/")
        .replace("%2f", "/");
    Scope::new(decoded)
}

/// Whether holding the one allows what the other does.
///
/// `.default` and the permissions of its resource stand for each other: Entra may report either. What tells who came back is often not
/// reported at all; the tokens themselves show whether it was granted.
pub(super) fn implies(held: &str, needed: &str) -> bool {
    if held.eq_ignore_ascii_case(needed) || is_identity(needed) {
        return true;
    }
    match (split(held), split(needed)) {
        (Some((held_of, held)), Some((needed_of, needed))) => {
            held_of.eq_ignore_ascii_case(needed_of) && (held == DEFAULT || needed == DEFAULT)
        }
        _ => false,
    }
}

fn is_identity(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "email" | "offline_access")
}

/// Resource and permission.
fn split(scope: &str) -> Option<(&str, &str)> {
    let (resource, permission) = scope.rsplit_once('/')?;
    Some((resource.trim_end_matches('/'), permission))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(permissions: &[&str]) -> Vec<String> {
        permissions.iter().map(|&one| one.to_owned()).collect()
    }

    #[test]
    fn default_stands_alone_and_one_request_has_one_resource() {
        let all = of(BUSINESS_CENTRAL, &[]).unwrap();
        assert_eq!(
            all,
            ScopeSet::parse("https://api.businesscentral.dynamics.com/.default")
        );
        let one = of(BUSINESS_CENTRAL, &strings(&["Financials.ReadWrite.All"])).unwrap();
        let long = strings(&["https://api.businesscentral.dynamics.com/Financials.ReadWrite.All"]);
        assert_eq!(of(BUSINESS_CENTRAL, &long).unwrap(), one);
        assert_eq!(of(BUSINESS_CENTRAL, &strings(&[".default"])).unwrap(), all);
        for wrong in [
            &[".default", "Financials.ReadWrite.All"][..],
            &["https://graph.microsoft.com/User.Read"],
            &["openid"],
            &["a b"],
            &[""],
        ] {
            let error = of(BUSINESS_CENTRAL, &strings(wrong)).unwrap_err();
            assert_eq!(error.code(), "invalid", "{wrong:?}");
        }
    }

    #[test]
    fn default_and_permissions_stand_for_each_other() {
        let api = |name: &str| format!("{BUSINESS_CENTRAL}/{name}");
        for (held, needed, does) in [
            (api("Financials.ReadWrite.All"), api(".default"), true),
            (api(".default"), api("user_impersonation"), true),
            (api("user_impersonation"), api("Financials.ReadWrite.All"), false),
            (
                api(".default").to_uppercase().replace(".DEFAULT", ".default"),
                api(".default"),
                true,
            ),
            (format!("{BUSINESS_CENTRAL}//.default"), api(".default"), true),
            (
                "https://graph.microsoft.com/.default".to_owned(),
                api(".default"),
                false,
            ),
            ("User.Read".to_owned(), api(".default"), false),
            ("openid".to_owned(), api(".default"), false),
            (api(".default"), "offline_access".to_owned(), true),
        ] {
            assert_eq!(implies(&held, &needed), does, "{held} for {needed}");
        }
    }

    #[test]
    fn encoded_scopes_are_read_as_meant() {
        let encoded = Scope::new("https%3A%2f%2Fapi.businesscentral.dynamics.com%2F.default");
        assert_eq!(normalize(&encoded), default_of(BUSINESS_CENTRAL));
    }
}
