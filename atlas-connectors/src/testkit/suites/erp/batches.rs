//! Cases about several writes in one request.

use super::desk::{outcome, reference};
use super::{Case, Suite, Violation};
use crate::action::IntentState;
use crate::erp::{Batch, Document as _, PartOutcome, Write};

impl Suite<'_> {
    pub(super) async fn each_part_of_a_batch_is_told(&self) -> Result<(), Violation> {
        let case = Case("each_part_of_a_batch_is_told");
        let references = [reference(), reference()];
        let mut parts = Vec::new();
        for reference in &references {
            parts.push(Write::from(self.new_order(case, reference).await?));
        }
        if let Some((refused, _)) = &self.story.refused {
            parts.insert(1, refused.clone());
        }
        let all = parts.len();
        let before = self.effects(case).await?;
        let written = self.done(case, Batch::independent(parts)).await?;
        self.check_effects(case, before, 2).await?;
        case.check(written.parts.len() == all, "every part of a batch has an outcome")?;
        let mut done = written.parts.iter().filter_map(|part| match part {
            PartOutcome::Done(written) => Some(written.key.clone()),
            _ => None,
        });
        for reference in &references {
            let found = self.orders(case, reference).await?;
            let [order] = found.as_slice() else {
                return Err(Violation::new(
                    case.0,
                    "a part that can happen happens, whatever the others do",
                ));
            };
            self.remember(order.key());
            case.check(
                done.next() == Some(Some(order.key().clone())),
                "a part that happened has the key of its record, in the order of the parts",
            )?;
        }
        if self.story.refused.is_some() {
            let told = written.parts.get(1);
            case.check(
                matches!(told, Some(PartOutcome::Rejected(rejection)) if &*rejection.code == "rejected"),
                "a part that is refused says why",
            )?;
        }
        Ok(())
    }

    pub(super) async fn an_atomic_batch_happens_whole_or_not_at_all(&self) -> Result<(), Violation> {
        let case = Case("an_atomic_batch_happens_whole_or_not_at_all");
        let references = [reference(), reference()];
        let mut parts = Vec::new();
        for reference in &references {
            parts.push(Write::from(self.new_order(case, reference).await?));
        }
        if let Some((refused, _)) = &self.story.refused {
            let undone = reference();
            let good = Write::from(self.new_order(case, &undone).await?);
            let before = self.effects(case).await?;
            let ended = self.written(case, Batch::atomic([good, refused.clone()])).await?;
            case.check(
                self.orders(case, &undone).await?.is_empty(),
                "nothing of an atomic batch is left when one part is refused",
            )?;
            self.check_effects(case, before, 0).await?;
            case.check(
                ended.state == IntentState::NotSent,
                "an atomic batch that was undone ends as not sent",
            )?;
        }
        let before = self.effects(case).await?;
        let ended = self.written(case, Batch::atomic(parts)).await?;
        let written = outcome(case, &ended)?;
        self.check_effects(case, before, 2).await?;
        let done = |part: &PartOutcome| matches!(part, PartOutcome::Done(_));
        case.check(
            written.parts.len() == 2 && written.parts.iter().all(done),
            "every part of an atomic batch that happened is told as done",
        )?;
        for reference in &references {
            let found = self.orders(case, reference).await?;
            case.check(found.len() == 1, "every part of an atomic batch happens once")?;
            found.iter().for_each(|order| self.remember(order.key()));
        }
        Ok(())
    }
}
