//! Cases about writes that are refused: by policy, by permission, for their content; and that these are told apart.

use super::{Case, Suite, Violation};
use crate::action::{Intent, IntentState, Outcome, WriteRule, WriteRules, approved_for_suite};
use crate::erp::{ActionCall, Write, WriteRejected};
use crate::error::{Effect, Error};

impl Suite<'_> {
    pub(super) async fn a_write_forbidden_by_policy_never_starts(&self) -> Result<(), Violation> {
        let case = Case("a_write_forbidden_by_policy_never_starts");
        let entity = self.order_entity(case)?;
        let rules = WriteRules::new()
            .deny(WriteRule::new("never-create").entity(entity.clone()).verb("create"))
            .deny(WriteRule::new("never-post").action("Atlas.Story.post"));
        let desk = self.desk_with_rules(case, rules)?;
        let create = self.new_order(case, &super::desk::reference()).await?;
        let mut call = ActionCall::unbound(entity, "POST");
        call.company.clone_from(&self.story.company);
        let (requests, effects) = (self.requests(case).await?, self.effects(case).await?);
        for (write, key, expected) in [
            (Write::from(create), "create", "never-create"),
            // The provider runs an action in any spelling, so the rule must hold in any.
            (Write::from(call), "call", "never-post"),
        ] {
            let outcome = desk.outbox.gate().propose(self.proposal(key), write).await;
            let outcome = case.ok(outcome, "propose")?;
            let Outcome::Denied { intent, rule } = outcome else {
                return Err(Violation::new(
                    case.0,
                    "what a rule forbids is denied when it is proposed",
                ));
            };
            case.check(rule == expected, "the rule that forbids is named")?;
            let tenant = &self.erp.connection().tenant;
            match desk.outbox.dispatch(tenant, &intent).await {
                Ok(_) => return Err(Violation::new(case.0, "what is denied is not dispatched")),
                Err(error) => case.check(
                    matches!(WriteRejected::of(&error), Some(WriteRejected::PolicyBlocked { rule }) if rule == expected),
                    "a refusal by policy is told as one",
                )?,
            }
        }
        self.check_effects(case, effects, 0).await?;
        case.check(
            requests == self.requests(case).await?,
            "what policy forbids makes no request",
        )
    }

    pub(super) async fn a_refused_permission_is_told(&self) -> Result<(), Violation> {
        let case = Case("a_refused_permission_is_told");
        let Some(write) = &self.story.forbidden else {
            return Ok(());
        };
        let effects = self.effects(case).await?;
        let error = self.refusal(case, write).await?;
        case.check(
            matches!(WriteRejected::of(&error), Some(WriteRejected::PermissionDenied { .. })),
            "a missing permission is told as one",
        )?;
        let ended = self.written(case, write.clone()).await?;
        self.check_rejected(case, &ended, "permission_denied")?;
        self.check_effects(case, effects, 0).await
    }

    pub(super) async fn a_refused_value_names_its_field(&self) -> Result<(), Violation> {
        let case = Case("a_refused_value_names_its_field");
        let Some((write, field)) = &self.story.refused else {
            return Ok(());
        };
        let effects = self.effects(case).await?;
        let error = self.refusal(case, write).await?;
        let Some(WriteRejected::Invalid { fields }) = WriteRejected::of(&error) else {
            return Err(Violation::new(
                case.0,
                format_args!("a refused value is told as one, not as {}", error.code()),
            ));
        };
        let ended = self.written(case, write.clone()).await?;
        self.check_rejected(case, &ended, "rejected")?;
        self.check_effects(case, effects, 0).await?;
        if let Some(field) = field {
            let named = fields.iter().any(|fault| fault.field == field.as_str());
            case.check(named, "the refused field is named")?;
            let kept = ended.rejection.iter().flat_map(|rejection| &rejection.fields);
            case.check(
                kept.into_iter().any(|fault| fault.field == field.as_str()),
                "the refused field is named in the intent",
            )?;
        }
        Ok(())
    }

    /// How the connector itself refuses a write.
    async fn refusal(&self, case: Case, write: &Write) -> Result<Error, Violation> {
        let approved = approved_for_suite(write.clone(), self.erp.connection().clone(), self.identity.clone());
        let refused = match self.erp.prepare(&approved).await {
            Ok(prepared) => self.erp.commit(prepared).await.err(),
            Err(error) => Some(error),
        };
        let error = refused.ok_or_else(|| Violation::new(case.0, "the story's refused write is refused"))?;
        case.check(error.effect() == Effect::None, "a refusal before acting has no effect")?;
        Ok(error)
    }

    fn check_rejected(&self, case: Case, ended: &Intent, expected: &str) -> Result<(), Violation> {
        case.check(ended.state == IntentState::NotSent, "a refused write ends as not sent")?;
        let code = ended.rejection.as_ref().map(|rejection| &*rejection.code);
        if code == Some(expected) {
            return Ok(());
        }
        Err(Violation::new(
            case.0,
            format_args!("the intent says {}, expected {expected}", code.unwrap_or("nothing")),
        ))
    }
}
