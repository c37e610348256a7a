//! Rules about what may be written to an ERP.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::action::content::sha256;
use crate::action::{ApprovalPolicy, ProposedAction, Target, TargetPart, Verdict};
use crate::erp::{ActionName, EntityName};
use crate::error::Result;
use crate::ids::CompanyId;

/// What may be written to an ERP: some things never, some without a person, everything else after a review.
///
/// A forbid beats any permit: a batch is denied if one of its parts is forbidden, and passes only if all of its parts are allowed.
/// Actions of other kinds (a mail) are held; put this beside other policies with [`crate::action::AnyOf`] or [`crate::action::AllOf`].
///
/// ```
/// use atlas_connectors::action::{ApprovalPolicy, ProposedAction, Target, Verdict, WriteRule, WriteRules};
/// use atlas_connectors::{ActorId, ConnectionId, ConnectionRef, Epoch, Identity, TenantId};
///
/// let rules = WriteRules::new().deny(WriteRule::new("never-post").action("Microsoft.NAV.post"));
/// let connection = ConnectionRef {
///     tenant: TenantId::new("acme"),
///     connection: ConnectionId::new("c-1"),
///     epoch: Epoch::FIRST,
///     provider: "business_central".into(),
/// };
/// let identity = Identity { subject: "s".into(), address: None, tenant: None };
/// let author = ActorId::new("bot");
/// // The provider runs it in any spelling, so the rule must hold in any.
/// let target = Target::action("salesInvoices", "microsoft.nav.POST");
/// let action = ProposedAction::new("erp.write", &connection, &identity, &author).touching(&target);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(rules.evaluate(&action).await?, Verdict::Deny { rule: "never-post".into() });
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRules {
    deny: Vec<WriteRule>,
    allow: Vec<WriteRule>,
}

/// Writes that a rule is about. What is left empty means any; all that is set must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteRule {
    /// Name of the rule, as it is recorded.
    pub name: String,
    /// Entities. Compared whatever their case: a rule must not be passed by another spelling.
    pub entities: Vec<EntityName>,
    /// `create`, `update`, `delete`, `action`.
    pub verbs: Vec<String>,
    /// Actions. Compared whatever their case and namespace.
    pub actions: Vec<ActionName>,
    /// Companies. A write that names none may be in any of them, as it takes the connection's own: a rule that forbids is about
    /// it, a rule that allows is not.
    pub companies: Vec<CompanyId>,
}

impl WriteRules {
    /// Everything is held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forbids what the rule is about, whoever approves.
    #[must_use]
    pub fn deny(mut self, rule: WriteRule) -> Self {
        self.deny.push(rule);
        self
    }

    /// Lets what the rule is about leave without a person.
    #[must_use]
    pub fn allow(mut self, rule: WriteRule) -> Self {
        self.allow.push(rule);
        self
    }
}

impl WriteRule {
    /// A rule about every write, to be narrowed.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            entities: Vec::new(),
            verbs: Vec::new(),
            actions: Vec::new(),
            companies: Vec::new(),
        }
    }

    /// About this entity too.
    #[must_use]
    pub fn entity(mut self, entity: impl Into<EntityName>) -> Self {
        self.entities.push(entity.into());
        self
    }

    /// About this verb too.
    #[must_use]
    pub fn verb(mut self, verb: impl Into<String>) -> Self {
        self.verbs.push(verb.into());
        self
    }

    /// About this action too.
    #[must_use]
    pub fn action(mut self, action: impl Into<ActionName>) -> Self {
        self.actions.push(action.into());
        self
    }

    /// In this company too.
    #[must_use]
    pub fn company(mut self, company: impl Into<CompanyId>) -> Self {
        self.companies.push(company.into());
        self
    }

    /// Whether the rule is about a part; `unnamed` if it is about a write that names no company too.
    fn is_about(&self, target: &Target, part: &TargetPart, unnamed: bool) -> bool {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        let entity = self.entities.is_empty()
            || self
                .entities
                .iter()
                .any(|known| same(known.as_str(), part.entity.as_str()));
        let verb = self.verbs.is_empty() || self.verbs.iter().any(|known| same(known, &part.verb));
        let called = part.action.as_ref();
        let action = self.actions.is_empty() || self.actions.iter().any(|known| called == Some(known));
        let company = self.companies.is_empty()
            || match &target.company {
                // Ids are compared as they stand for what is allowed, and whatever their case for what is forbidden.
                Some(named) if unnamed => self.companies.iter().any(|known| same(known.as_str(), named.as_str())),
                Some(named) => self.companies.contains(named),
                None => unnamed,
            };
        entity && verb && action && company
    }
}

#[async_trait]
impl ApprovalPolicy for WriteRules {
    async fn evaluate(&self, action: &ProposedAction<'_>) -> Result<Verdict> {
        let hold = |rule: &str| Verdict::Hold { rule: rule.to_owned() };
        let Some(target) = action.target else {
            return Ok(hold("write-rules:other-kind"));
        };
        let about = |rules: &'_ [WriteRule], part: &TargetPart, unnamed: bool| -> Option<String> {
            rules
                .iter()
                .find(|rule| rule.is_about(target, part, unnamed))
                .map(|rule| rule.name.clone())
        };
        if let Some(rule) = target.parts.iter().find_map(|part| about(&self.deny, part, true)) {
            return Ok(Verdict::Deny { rule });
        }
        let allowed: Option<Vec<String>> = target
            .parts
            .iter()
            .map(|part| about(&self.allow, part, false))
            .collect();
        Ok(match allowed.and_then(|rules| rules.into_iter().next()) {
            Some(rule) => Verdict::Allow { rule },
            None => hold("write-rules"),
        })
    }

    fn version(&self) -> String {
        // Serialising plain data does not fail; were it to, the version would only be less telling.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("write-rules:{}", sha256(&json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{ConnectionRef, Identity};
    use crate::ids::{ActorId, Epoch};

    async fn verdict(rules: &WriteRules, target: &Target) -> Verdict {
        let connection = ConnectionRef {
            tenant: "acme".into(),
            connection: "c-1".into(),
            epoch: Epoch::FIRST,
            provider: "memory".into(),
        };
        let identity = Identity {
            subject: "s".into(),
            address: None,
            tenant: None,
        };
        let author = ActorId::new("bot");
        let action = ProposedAction::new("erp.write", &connection, &identity, &author).touching(target);
        rules.evaluate(&action).await.unwrap()
    }

    #[tokio::test]
    async fn a_rule_about_a_company_is_not_passed_by_naming_none() {
        let rules = WriteRules::new()
            .deny(WriteRule::new("not-here").company("abroad").entity("Ärzte"))
            .allow(WriteRule::new("at-home").company("home"));
        let denied = Verdict::Deny {
            rule: "not-here".into(),
        };
        let of = |entity: &str| Target::new(entity, "update");
        assert_eq!(verdict(&rules, &of("ärzte").in_company("abroad")).await, denied);
        assert_eq!(verdict(&rules, &of("ärzte").in_company("ABROAD")).await, denied);
        assert_eq!(verdict(&rules, &of("ÄRZTE")).await, denied);
        assert!(matches!(verdict(&rules, &of("orders")).await, Verdict::Hold { .. }));
        let allowed = Verdict::Allow { rule: "at-home".into() };
        assert_eq!(verdict(&rules, &of("orders").in_company("home")).await, allowed);
        assert!(matches!(
            verdict(&rules, &of("orders").in_company("HOME")).await,
            Verdict::Hold { .. }
        ));
    }

    #[tokio::test]
    async fn one_forbidden_part_forbids_a_batch_and_all_have_to_be_allowed() {
        let rules = WriteRules::new()
            .deny(WriteRule::new("no-posting").action("post"))
            .allow(WriteRule::new("notes").entity("notes").verb("create"));
        let mut batch = Target::new("notes", "create");
        assert_eq!(verdict(&rules, &batch).await, Verdict::Allow { rule: "notes".into() });
        batch.parts.extend(Target::new("orders", "create").parts);
        assert!(matches!(verdict(&rules, &batch).await, Verdict::Hold { .. }));
        batch.parts.extend(Target::action("orders", "Microsoft.NAV.POST").parts);
        let denied = Verdict::Deny {
            rule: "no-posting".into(),
        };
        assert_eq!(verdict(&rules, &batch).await, denied);
        let empty = Target {
            company: None,
            parts: Vec::new(),
        };
        assert!(matches!(verdict(&rules, &empty).await, Verdict::Hold { .. }));
    }
}
