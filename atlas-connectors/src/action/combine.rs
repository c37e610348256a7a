//! Policies made of policies. A forbid beats any permit in both.

use std::sync::Arc;

use async_trait::async_trait;

use crate::action::content::sha256;
use crate::action::{ApprovalPolicy, ProposedAction, Verdict};
use crate::error::Result;

/// The strictest answer of all: one deny denies, one hold holds, and only if all allow it may leave without a person. With no
/// policies in it, everything is held. The first that fails is the answer.
#[derive(Clone, Debug)]
pub struct AllOf(Vec<Arc<dyn ApprovalPolicy>>);

/// Allowed if any allows and none denies; held if none allows. With no policies in it, everything is held. The first that fails is the
/// answer, even if another allows.
#[derive(Clone, Debug)]
pub struct AnyOf(Vec<Arc<dyn ApprovalPolicy>>);

impl AllOf {
    /// Asks these, in this order.
    pub fn new(policies: impl IntoIterator<Item = Arc<dyn ApprovalPolicy>>) -> Self {
        Self(policies.into_iter().collect())
    }
}

impl AnyOf {
    /// Asks these, in this order.
    pub fn new(policies: impl IntoIterator<Item = Arc<dyn ApprovalPolicy>>) -> Self {
        Self(policies.into_iter().collect())
    }
}

#[async_trait]
impl ApprovalPolicy for AllOf {
    async fn evaluate(&self, action: &ProposedAction<'_>) -> Result<Verdict> {
        let answers = answers(&self.0, action).await?;
        Ok(first(&answers, is_deny)
            .or_else(|| first(&answers, is_hold))
            .or_else(|| answers.into_iter().next())
            .unwrap_or_else(nobody))
    }

    fn version(&self) -> String {
        version("all", &self.0)
    }
}

#[async_trait]
impl ApprovalPolicy for AnyOf {
    async fn evaluate(&self, action: &ProposedAction<'_>) -> Result<Verdict> {
        let answers = answers(&self.0, action).await?;
        Ok(first(&answers, is_deny)
            .or_else(|| first(&answers, |v| matches!(v, Verdict::Allow { .. })))
            .or_else(|| answers.into_iter().next())
            .unwrap_or_else(nobody))
    }

    fn version(&self) -> String {
        version("any", &self.0)
    }
}

async fn answers(policies: &[Arc<dyn ApprovalPolicy>], action: &ProposedAction<'_>) -> Result<Vec<Verdict>> {
    let mut answers = Vec::with_capacity(policies.len());
    for policy in policies {
        let answer = policy.evaluate(action).await?;
        let denied = is_deny(&answer);
        answers.push(answer);
        if denied {
            break;
        }
    }
    Ok(answers)
}

fn first(answers: &[Verdict], which: fn(&Verdict) -> bool) -> Option<Verdict> {
    answers.iter().find(|answer| which(answer)).cloned()
}

const fn is_deny(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Deny { .. })
}

const fn is_hold(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Hold { .. })
}

fn nobody() -> Verdict {
    Verdict::Hold {
        rule: "no-policy".to_owned(),
    }
}

fn version(how: &str, policies: &[Arc<dyn ApprovalPolicy>]) -> String {
    let versions: Vec<String> = policies.iter().map(|policy| policy.version()).collect();
    format!("{how}:{}", sha256(versions.join("\n").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{ConnectionRef, Identity};
    use crate::ids::{ActorId, ConnectionId, Epoch, ProviderId, TenantId};

    #[derive(Debug)]
    struct Says(Verdict);

    #[async_trait]
    impl ApprovalPolicy for Says {
        async fn evaluate(&self, _action: &ProposedAction<'_>) -> Result<Verdict> {
            Ok(self.0.clone())
        }
    }

    fn says(word: char) -> Arc<dyn ApprovalPolicy> {
        let rule = word.to_string();
        Arc::new(Says(match word {
            'a' => Verdict::Allow { rule },
            'h' => Verdict::Hold { rule },
            _ => Verdict::Deny { rule },
        }))
    }

    #[tokio::test]
    async fn a_forbid_beats_any_permit() {
        let connection = ConnectionRef {
            tenant: TenantId::new("t"),
            connection: ConnectionId::new("c"),
            epoch: Epoch::FIRST,
            provider: ProviderId::new("test"),
        };
        let identity = Identity {
            subject: "1".to_owned(),
            address: None,
            tenant: None,
        };
        let author = ActorId::new("a");
        let action = ProposedAction::new("mail.send", &connection, &identity, &author);
        // what they say, what all of them come to, what any of them comes to
        let table = [
            ("", "no-policy", "no-policy"),
            ("a", "a", "a"),
            ("h", "h", "h"),
            ("d", "d", "d"),
            ("ah", "h", "a"),
            ("ha", "h", "a"),
            ("ad", "d", "d"),
            ("da", "d", "d"),
            ("had", "d", "d"),
            ("aa", "a", "a"),
            ("hh", "h", "h"),
        ];
        for (words, all, any) in table {
            let policies: Vec<_> = words.chars().map(says).collect();
            let of_all = AllOf::new(policies.clone()).evaluate(&action).await.unwrap();
            let of_any = AnyOf::new(policies).evaluate(&action).await.unwrap();
            assert_eq!(of_all.rule(), all, "all of {words}");
            assert_eq!(of_any.rule(), any, "any of {words}");
        }
    }
}
