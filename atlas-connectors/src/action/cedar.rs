//! Approval rules written in Cedar, a language made for such rules.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr as _;

use async_trait::async_trait;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Request,
    Response, Schema, ValidationMode, Validator,
};
use serde_json::json;

use crate::action::content::sha256;
use crate::action::warning::domain_of;
use crate::action::{ApprovalPolicy, ProposedAction, Verdict};
use crate::error::{Error, ErrorKind, Result};

/// What a rule can speak about. Rules are checked against it when they are loaded.
///
/// Every action is judged by two questions: may `Atlas::Action::"leave"` happen at all, and may it happen
/// `Atlas::Action::"leave_unreviewed"`, without a person. The principal is the author, the resource the connection.
pub const CEDAR_SCHEMA: &str = r#"
namespace Atlas {
  type Facts = {
    // The kind of action: "mail.send", "mail.organize", "erp.write".
    kind: String,
    // Every address that would be reached (To, Cc and Bcc), in small letters, and their domains.
    recipients: Set<String>,
    domains: Set<String>,
    recipient_count: Long,
    // What of an ERP would be touched: entities in the provider's spelling, "create", "update", "delete" and "action", the
    // names of actions in small letters without their namespace, and the company ("" where none is named).
    entities: Set<String>,
    verbs: Set<String>,
    actions: Set<String>,
    company: String,
    // Actions of this kind on this connection that left without a person.
    automatic_last_hour: Long,
    automatic_last_day: Long,
    // Milliseconds since 1970.
    now: Long,
    // Asked right before it leaves, rather than when it was proposed.
    leaving: Bool,
    // A person has approved it.
    approved: Bool,
  };
  entity Actor;
  entity Connection = { tenant: String, provider: String, account: String };
  action leave appliesTo { principal: [Actor], resource: [Connection], context: Facts };
  action leave_unreviewed appliesTo { principal: [Actor], resource: [Connection], context: Facts };
}
"#;

/// Rules in Cedar over the schema [`CEDAR_SCHEMA`]. A forbid beats any permit, and what no rule permits is refused.
///
/// | `leave` | `leave_unreviewed` | verdict |
/// | --- | --- | --- |
/// | not permitted | any | deny |
/// | permitted | not permitted | hold for a person |
/// | permitted | permitted | allow |
///
/// A rule is recorded by its annotation `@id("…")`, or else as `policy0`, `policy1` in the order of the text. A rule that
/// fails while it is evaluated makes the whole answer an error, and so a deny: Cedar alone would skip it, even a forbid.
///
/// ```
/// use atlas_connectors::action::CedarPolicy;
///
/// let rules = CedarPolicy::parse(r#"
///     @id("people-decide")
///     permit (principal, action == Atlas::Action::"leave", resource);
///
///     @id("confirmations-to-partners")
///     permit (principal, action == Atlas::Action::"leave_unreviewed", resource)
///     when { ["nordmetall.example"].containsAll(context.domains) }
///     when { context.recipient_count <= 3 && context.automatic_last_hour < 20 };
///
///     @id("never-to-the-press")
///     forbid (principal, action, resource)
///     when { context.domains.contains("press.example") };
/// "#)?;
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
pub struct CedarPolicy {
    rules: PolicySet,
    names: HashMap<PolicyId, String>,
    version: String,
}

impl CedarPolicy {
    /// Reads rules and checks them against [`CEDAR_SCHEMA`].
    ///
    /// # Errors
    /// `ErrorKind::Invalid` if the text is not Cedar, speaks of what the schema does not have, or has templates.
    pub fn parse(rules: &str) -> Result<Self> {
        let invalid = |why| {
            Error::new(
                ErrorKind::Invalid {
                    what: "Cedar rules",
                    why,
                },
                "cedar.parse",
            )
        };
        let set = PolicySet::from_str(rules).map_err(|error| invalid("they are not Cedar").with_source(error))?;
        if set.templates().next().is_some() {
            return Err(invalid("templates are not supported"));
        }
        let (schema, _) = Schema::from_cedarschema_str(CEDAR_SCHEMA)
            .map_err(|error| invalid("the schema does not load").with_source(error))?;
        let checked = Validator::new(schema).validate(&set, ValidationMode::Strict);
        if let Some(error) = checked.validation_errors().next() {
            return Err(invalid("they do not fit the schema").with_source(error.clone()));
        }
        let names = set
            .policies()
            .map(|rule| {
                let name = rule
                    .annotation("id")
                    .map_or_else(|| rule.id().to_string(), str::to_owned);
                (rule.id().clone(), name)
            })
            .collect();
        Ok(Self {
            rules: set,
            names,
            version: format!("cedar:{}", sha256(rules.as_bytes())),
        })
    }

    /// One question: whether it is permitted, and by which rules.
    fn ask(&self, question: &str, facts: &Facts) -> Result<(bool, Option<String>)> {
        let request = Request::new(
            facts.principal.clone(),
            uid("Atlas::Action", question)?,
            facts.resource.clone(),
            facts.context.clone(),
            None,
        )
        .map_err(|error| failed().with_source(error))?;
        let response: Response = Authorizer::new().is_authorized(&request, &self.rules, &facts.entities);
        if response.diagnostics().errors().next().is_some() {
            return Err(failed());
        }
        let mut rules: Vec<&str> = response
            .diagnostics()
            .reason()
            .filter_map(|id| self.names.get(id).map(String::as_str))
            .collect();
        rules.sort_unstable();
        let rules = (!rules.is_empty()).then(|| rules.join("+"));
        Ok((response.decision() == Decision::Allow, rules))
    }
}

#[async_trait]
impl ApprovalPolicy for CedarPolicy {
    async fn evaluate(&self, action: &ProposedAction<'_>) -> Result<Verdict> {
        const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
        let hour = action.history.automatic(HOUR).await?;
        let day = action.history.automatic(24 * HOUR).await?;
        let facts = Facts::new(action, hour, day)?;
        let default = || "no-rule".to_owned();
        let (may_leave, by) = self.ask("leave", &facts)?;
        if !may_leave {
            return Ok(Verdict::Deny {
                rule: by.unwrap_or_else(default),
            });
        }
        let (unreviewed, rule) = self.ask("leave_unreviewed", &facts)?;
        let rule = rule.or(by).unwrap_or_else(default);
        Ok(if unreviewed {
            Verdict::Allow { rule }
        } else {
            Verdict::Hold { rule }
        })
    }

    fn version(&self) -> String {
        self.version.clone()
    }
}

impl fmt::Debug for CedarPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarPolicy")
            .field("rules", &self.names.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What the rules are told about one action.
struct Facts {
    principal: EntityUid,
    resource: EntityUid,
    context: Context,
    entities: Entities,
}

impl Facts {
    fn new(action: &ProposedAction<'_>, hour: u64, day: u64) -> Result<Self> {
        let recipients: Vec<String> = action.recipients.iter().map(|address| address.to_lowercase()).collect();
        let domains: Vec<&str> = recipients.iter().map(|address| domain_of(address)).collect();
        let parts = action.target.map(|target| target.parts.as_slice()).unwrap_or_default();
        let entities: Vec<&str> = parts.iter().map(|part| part.entity.as_str()).collect();
        let verbs: Vec<&str> = parts.iter().map(|part| part.verb.as_str()).collect();
        let actions: Vec<String> = parts
            .iter()
            .filter_map(|part| Some(part.action.as_ref()?.folded()))
            .collect();
        let company = action.target.and_then(|target| target.company.as_ref());
        let context = json!({
            "kind": action.kind,
            "recipients": recipients,
            "domains": domains,
            "recipient_count": recipients.len(),
            "entities": entities,
            "verbs": verbs,
            "actions": actions,
            "company": company.map_or("", |company| company.as_str()),
            "automatic_last_hour": hour,
            "automatic_last_day": day,
            "now": action.now.unix_millis(),
            "leaving": action.leaving,
            "approved": action.approved,
        });
        let context = Context::from_json_value(context, None).map_err(|error| failed().with_source(error))?;
        let bound = action.connection;
        let entities = json!([
            { "uid": { "type": "Atlas::Actor", "id": action.author.as_str() }, "attrs": {}, "parents": [] },
            {
                "uid": { "type": "Atlas::Connection", "id": bound.connection.as_str() },
                "attrs": {
                    "tenant": bound.tenant.as_str(),
                    "provider": bound.provider.as_str(),
                    "account": action.identity.address.as_deref().unwrap_or_default().to_lowercase(),
                },
                "parents": [],
            },
        ]);
        let entities = Entities::from_json_value(entities, None).map_err(|_| failed())?;
        Ok(Self {
            principal: uid("Atlas::Actor", action.author.as_str())?,
            resource: uid("Atlas::Connection", bound.connection.as_str())?,
            context,
            entities,
        })
    }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid> {
    let kind = EntityTypeName::from_str(kind).map_err(|_| failed())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn failed() -> Error {
    Error::new(
        ErrorKind::Invalid {
            what: "Cedar rules",
            why: "they cannot be evaluated",
        },
        "cedar.evaluate",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::History;
    use crate::connection::{ConnectionRef, Identity};
    use crate::ids::{ActorId, ConnectionId, Epoch, ProviderId, TenantId};

    const RULES: &str = r#"
        @id("people-decide")
        permit (principal, action == Atlas::Action::"leave", resource);

        @id("confirmations-to-partners")
        permit (principal, action == Atlas::Action::"leave_unreviewed", resource)
        when { ["nordmetall.example", "acme.example"].containsAll(context.domains) }
        when { context.recipient_count <= 2 && context.automatic_last_hour < 20 };

        @id("never-to-the-press")
        forbid (principal, action, resource)
        when { context.domains.contains("press.example") };
    "#;

    #[derive(Debug)]
    struct Before(u64);

    #[async_trait]
    impl History for Before {
        async fn automatic(&self, _window: std::time::Duration) -> Result<u64> {
            Ok(self.0)
        }
    }

    async fn judge(rules: &CedarPolicy, recipients: &[&str], before: u64) -> Result<Verdict> {
        let connection = ConnectionRef {
            tenant: TenantId::new("t"),
            connection: ConnectionId::new("c"),
            epoch: Epoch::FIRST,
            provider: ProviderId::new("gmail"),
        };
        let identity = Identity {
            subject: "1".to_owned(),
            address: Some("ops@acme.example".to_owned()),
            tenant: None,
        };
        let (author, before) = (ActorId::new("agent"), Before(before));
        let recipients: Vec<String> = recipients.iter().map(|&address| address.to_owned()).collect();
        let action = ProposedAction::new("mail.send", &connection, &identity, &author)
            .to(&recipients)
            .after(&before);
        rules.evaluate(&action).await
    }

    #[tokio::test]
    async fn rules_decide_and_are_named() {
        let rules = CedarPolicy::parse(RULES).unwrap();
        let allow = |rule: &str| Verdict::Allow { rule: rule.to_owned() };
        let hold = |rule: &str| Verdict::Hold { rule: rule.to_owned() };
        let deny = |rule: &str| Verdict::Deny { rule: rule.to_owned() };
        let table: &[(&[&str], u64, Verdict)] = &[
            (&["Kim@Nordmetall.example"], 0, allow("confirmations-to-partners")),
            (
                &["kim@nordmetall.example", "ops@acme.example"],
                19,
                allow("confirmations-to-partners"),
            ),
            (&["kim@nordmetall.example"], 20, hold("people-decide")),
            (&["kim@other.example"], 0, hold("people-decide")),
            (
                &["a@acme.example", "b@acme.example", "c@acme.example"],
                0,
                hold("people-decide"),
            ),
            (
                &["kim@nordmetall.example", "desk@press.example"],
                0,
                deny("never-to-the-press"),
            ),
        ];
        for (recipients, before, verdict) in table {
            assert_eq!(
                judge(&rules, recipients, *before).await.unwrap(),
                *verdict,
                "{recipients:?} {before}"
            );
        }
        let nothing = CedarPolicy::parse("").unwrap();
        assert_eq!(judge(&nothing, &["a@acme.example"], 0).await.unwrap(), deny("no-rule"));
    }

    #[tokio::test]
    async fn a_rule_that_fails_is_not_skipped() {
        // An overflow fails at run time: the forbid must not silently vanish.
        let rules = CedarPolicy::parse(
            r#"permit (principal, action, resource);
               forbid (principal, action, resource) when { context.now + 9223372036854775807 > 0 && context.recipient_count + 9223372036854775807 > 0 };"#,
        )
        .unwrap();
        assert!(judge(&rules, &["a@acme.example"], 0).await.is_err());
    }

    #[test]
    fn rules_that_do_not_fit_are_refused() {
        for rules in [
            "permit (principal",
            "permit (principal, action, resource) when { context.recipient == \"x\" };",
            "permit (principal == ?principal, action, resource);",
        ] {
            assert_eq!(CedarPolicy::parse(rules).unwrap_err().code(), "invalid", "{rules}");
        }
    }
}
