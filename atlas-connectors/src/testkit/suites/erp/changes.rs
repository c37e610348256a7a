//! Cases about what changed since a point, and what is gone.

use std::collections::BTreeSet;

use super::reads::{keys, stored};
use super::{Case, MAX_PAGES, Suite, Violation};
use crate::erp::{ChangePoint, ErpConnectorExt as _, Record, RecordKey, Value};
use crate::mail::SyncCursor;
use crate::page::PageToken;

/// Everything that a pass over the changes gave.
struct Pass {
    records: Vec<Record>,
    deleted: Vec<RecordKey>,
    cursor: SyncCursor,
}

impl Suite<'_> {
    pub(super) async fn changes_come_once_and_none_is_lost(&self) -> Result<(), Violation> {
        let case = Case("changes_come_once_and_none_is_lost");
        let all = keys(&self.walk(case, &self.listing()).await?);
        let from_start = self.pass(case, &ChangePoint::Beginning).await?;
        case.check(
            keys(&from_start.records) == all && from_start.records.len() == all.len(),
            "from the beginning every record comes once",
        )?;
        let mut cursor = from_start.cursor;
        let quiet = self.since(case, &cursor).await?;
        case.check(
            quiet.records.is_empty(),
            "what was given is not given again at the same state",
        )?;
        cursor = quiet.cursor;

        // Two that arrive within one second, with a pass between them.
        if let Some(first) = case.ok(self.world.insert().await, "insert")? {
            let pass = self.since(case, &cursor).await?;
            case.check(keys(&pass.records).contains(&first), "a new record comes")?;
            let second = case.ok(self.world.insert().await, "insert")?;
            let next = self.since(case, &pass.cursor).await?;
            let found = keys(&next.records);
            case.check(
                second.is_none_or(|second| found.contains(&second)),
                "a record of the same second as the last one is not lost",
            )?;
            case.check(
                !found.contains(&first),
                "a record that was given is not given again at the same state",
            )?;
            cursor = next.cursor;
        }
        if let Some(key) = all.first() {
            let at = self.at(&self.story.listing, key);
            let value = Value::from("Changed by somebody else");
            if case.ok(self.world.change(&at, &self.story.text, &value).await, "change")? {
                let pass = self.since(case, &cursor).await?;
                let now = pass.records.iter().find(|record| record.key() == key);
                case.check(
                    now.and_then(|record| record.value(self.story.text.as_str())) == Some(&value),
                    "a changed record comes as it is now",
                )?;
                case.check(pass.records.len() == 1, "what has not changed does not come")?;
                cursor = pass.cursor;
            }
        }
        if self.can.deletions
            && let Some(key) = case.ok(self.world.insert().await, "insert")?
        {
            cursor = self.since(case, &cursor).await?.cursor;
            if case.ok(self.world.delete(&self.at(&self.story.listing, &key)).await, "delete")? {
                let pass = self.since(case, &cursor).await?;
                case.check(pass.deleted.contains(&key), "a deletion is told by the change feed")?;
            }
        }
        Ok(())
    }

    pub(super) async fn missing_records_are_told(&self) -> Result<(), Violation> {
        let case = Case("missing_records_are_told");
        let Some(key) = case.ok(self.world.insert().await, "insert")? else {
            return Ok(());
        };
        if key.as_single().is_none() {
            return Ok(());
        }
        let all: Vec<RecordKey> = keys(&self.walk(case, &self.listing()).await?).into_iter().collect();
        let missing = |keys: Vec<RecordKey>| async move {
            let missing = self.erp.missing(&self.story.listing, self.company(), &keys).await;
            case.ok(missing, "missing")
        };
        let none = missing(all.clone()).await?;
        case.check(none.is_empty(), "what is there is not missing")?;
        if case.ok(self.world.delete(&self.at(&self.story.listing, &key)).await, "delete")? {
            let told: BTreeSet<RecordKey> = missing(all).await?.into_iter().collect();
            case.check(told == BTreeSet::from([key]), "exactly the deleted record is missing")?;
        }
        Ok(())
    }

    async fn since(&self, case: Case, cursor: &SyncCursor) -> Result<Pass, Violation> {
        self.pass(case, &ChangePoint::After(stored(case, cursor)?)).await
    }

    async fn pass(&self, case: Case, since: &ChangePoint) -> Result<Pass, Violation> {
        let query = self.listing().page_size(2);
        let (mut records, mut deleted) = (Vec::new(), Vec::new());
        let mut token: Option<PageToken> = None;
        for _ in 0..MAX_PAGES {
            let page = case.ok(self.erp.changes(&query, since, token.as_ref()).await, "changes")?;
            records.extend(page.records);
            deleted.extend(page.deleted);
            match page.next {
                Some(next) => token = Some(stored(case, &next)?),
                None => {
                    let cursor = page
                        .cursor
                        .ok_or_else(|| Violation::new(case.0, "the last page has a cursor"))?;
                    return Ok(Pass {
                        records,
                        deleted,
                        cursor,
                    });
                }
            }
        }
        Err(Violation::new(case.0, "changes come to their end"))
    }
}
