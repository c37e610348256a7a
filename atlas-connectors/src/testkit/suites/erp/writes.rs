//! Cases about writes that happen: once, whatever is lost on the way.

use super::desk::{outcome, reference};
use super::story::LostAnswer;
use super::{Case, Suite, Violation};
use crate::action::{IntentState, Outcome};
use crate::erp::{
    ActionCall, Date, Delete, Document as _, DocumentKind, EntityName, FieldName, Record, RecordKey, Shape, Update,
    Value, Write,
};

impl Suite<'_> {
    pub(super) async fn an_order_is_created_exactly_once(&self) -> Result<(), Violation> {
        let case = Case("an_order_is_created_exactly_once");
        let reference = reference();
        let write = Write::from(self.new_order(case, &reference).await?);
        let before = self.effects(case).await?;
        let desk = self.desk(case)?;
        let intent = self.approved(case, &desk, &write, "job").await?;
        self.check_effects(case, before, 0).await?;
        case.check(
            self.orders(case, &reference).await?.is_empty(),
            "nothing is written before the outbox lets it out",
        )?;
        let sent = self.settled(case, &desk, &intent).await?;
        let written = outcome(case, &sent)?;
        self.check_effects(case, before, 1).await?;
        let found = self.orders(case, &reference).await?;
        let [order] = found.as_slice() else {
            return Err(Violation::new(
                case.0,
                format_args!("{} orders have the reference, expected 1", found.len()),
            ));
        };
        self.remember(order.key());
        case.check(
            written.key.as_ref() == Some(order.key()),
            "the outcome has the key of the record",
        )?;
        if let Write::Create(create) = &write {
            let asked: usize = create.lines.iter().map(|lines| lines.rows.len()).sum();
            case.check(
                order.lines.len() == asked,
                "the order has the lines that were asked for",
            )?;
        }
        // The host repeats itself after a crash: the same intent, and no second order.
        let again = desk.outbox.gate().propose(self.proposal("job"), write).await;
        let again = case.ok(again, "propose, again under the same key")?;
        case.check(
            matches!(again, Outcome::Known(known) if known.id == intent),
            "the same key is the same intent",
        )?;
        self.settled(case, &desk, &intent).await?;
        self.check_effects(case, before, 1).await?;
        case.check(
            self.orders(case, &reference).await?.len() == 1,
            "an order that was created is not created again",
        )
    }

    pub(super) async fn a_lost_answer_never_makes_two_orders(&self) -> Result<(), Violation> {
        let case = Case("a_lost_answer_never_makes_two_orders");
        for lost in [LostAnswer::AfterTheEffect, LostAnswer::BeforeTheEffect] {
            let reference = reference();
            let write = Write::from(self.new_order(case, &reference).await?);
            let before = self.effects(case).await?;
            let desk = self.desk(case)?;
            let intent = self.approved(case, &desk, &write, "job").await?;
            if !case.ok(self.world.lose(lost).await, "lose")? {
                continue;
            }
            let tenant = &self.erp.connection().tenant;
            let unclear = case.ok(desk.outbox.dispatch(tenant, &intent).await, "dispatch")?;
            case.check(
                unclear.state == IntentState::Sending,
                "a write whose answer is lost is neither sent nor failed",
            )?;
            let ended = self.settled(case, &desk, &intent).await?;
            let found = self.orders(case, &reference).await?;
            found.iter().for_each(|order| self.remember(order.key()));
            case.check(found.len() < 2, "a lost answer never makes a second order")?;
            let written = outcome(case, &ended)?;
            case.check(found.len() == 1, "a write that is told as done is done")?;
            self.check_effects(case, before, 1).await?;
            let key = found.first().map(|order| order.key());
            case.check(
                written.key.as_ref() == key,
                "the order is found again by what it was prepared with",
            )?;
        }
        Ok(())
    }

    pub(super) async fn an_update_is_read_back(&self) -> Result<(), Violation> {
        let case = Case("an_update_is_read_back");
        let key = self.an_order(case).await?;
        let [first, second, _] = self.story.days;
        self.set_day(case, &key, first).await?;
        let before = self.effects(case).await?;
        let record = self.order(case, &key, &[&self.story.date]).await?;
        let written = self.done(case, self.update(&record, &self.story.date, second)).await?;
        self.check_effects(case, before, 1).await?;
        let held = written
            .record
            .as_ref()
            .and_then(|record| record.value(self.story.date.as_str()));
        case.check(
            held.and_then(Value::as_date) == Some(second),
            "the record is read back with the new value",
        )?;
        let adjusted = written.adjusted.iter().any(|one| one.field == self.story.date);
        case.check(!adjusted, "what is stored as it was asked for is not told as adjusted")?;
        self.check_day(case, &key, second, "the new value is stored").await?;

        let Some((field, asked, stored)) = &self.story.adjusted else {
            return Ok(());
        };
        let record = self.order(case, &key, &[field]).await?;
        let written = self.done(case, self.update(&record, field, asked.clone())).await?;
        let told = written.adjusted.iter().find(|one| one.field == *field);
        let told = told.ok_or_else(|| Violation::new(case.0, "what the server changed is told as adjusted"))?;
        case.check(
            told.asked.says_the_same(asked) && told.stored.says_the_same(stored),
            "what was asked for and what is stored is told",
        )
    }

    pub(super) async fn a_conflict_writes_nothing(&self) -> Result<(), Violation> {
        let case = Case("a_conflict_writes_nothing");
        let key = self.an_order(case).await?;
        let [first, second, third] = self.story.days;
        self.set_day(case, &key, first).await?;
        let record = self.order(case, &key, &[&self.story.date]).await?;
        let desk = self.desk(case)?;
        let write = Write::from(self.update(&record, &self.story.date, second));
        let intent = self.approved(case, &desk, &write, "job").await?;
        let at = self.at(record.entity(), &key);
        if !case.ok(self.world.change(&at, &self.story.date, &third.into()).await, "change")? {
            return Ok(());
        }
        let before = self.effects(case).await?;
        let ended = self.settled(case, &desk, &intent).await?;
        self.check_effects(case, before, 0).await?;
        self.check_day(case, &key, third, "what somebody else wrote is not overwritten")
            .await?;
        case.check(
            ended.state == IntentState::NotSent,
            "a write to a changed record ends as not sent",
        )?;
        let code = ended.rejection.as_ref().map(|rejection| &*rejection.code);
        case.check(code == Some("conflict"), "a changed record is told as a conflict")
    }

    pub(super) async fn a_lost_answer_never_updates_twice(&self) -> Result<(), Violation> {
        let case = Case("a_lost_answer_never_updates_twice");
        for lost in [LostAnswer::AfterTheEffect, LostAnswer::BeforeTheEffect] {
            let key = self.an_order(case).await?;
            let [first, second, _] = self.story.days;
            self.set_day(case, &key, first).await?;
            let record = self.order(case, &key, &[&self.story.date]).await?;
            let write = Write::from(self.update(&record, &self.story.date, second));
            let before = self.effects(case).await?;
            let desk = self.desk(case)?;
            let intent = self.approved(case, &desk, &write, "job").await?;
            if !case.ok(self.world.lose(lost).await, "lose")? {
                continue;
            }
            let ended = self.settled(case, &desk, &intent).await?;
            outcome(case, &ended)?;
            self.check_effects(case, before, 1).await?;
            self.check_day(case, &key, second, "an update that is told as done is done")
                .await?;
        }
        Ok(())
    }

    pub(super) async fn every_digit_survives(&self) -> Result<(), Violation> {
        let case = Case("every_digit_survives");
        let Some((field, number)) = &self.story.exact else {
            return Ok(());
        };
        let key = self.an_order(case).await?;
        let record = self.order(case, &key, &[field]).await?;
        self.done(case, self.update(&record, field, number.clone())).await?;
        let record = self.order(case, &key, &[field]).await?;
        let held = record.value(field.as_str()).and_then(Value::as_decimal);
        case.check(
            held.as_ref() == Some(number),
            "a number is stored and read with every digit",
        )
    }

    pub(super) async fn an_action_happens_once(&self) -> Result<(), Violation> {
        let case = Case("an_action_happens_once");
        let Some(action) = self.story.action.as_ref().filter(|_| self.can.actions) else {
            return Ok(());
        };
        let key = self.an_order(case).await?;
        let record = self.order(case, &key, &[&action.field]).await?;
        let mut call = ActionCall::on(&record, action.name.clone());
        call.company.clone_from(&self.story.company);
        let before = self.effects(case).await?;
        self.done(case, call).await?;
        self.check_effects(case, before, 1).await?;
        let record = self.order(case, &key, &[&action.field]).await?;
        let held = record.value(action.field.as_str());
        case.check(
            held.is_some_and(|held| held.says_the_same(&action.becomes)),
            "an action does what it says",
        )
    }

    pub(super) async fn a_deletion_happens_once(&self) -> Result<(), Violation> {
        let case = Case("a_deletion_happens_once");
        if !self.story.deletes {
            return Ok(());
        }
        for key in self.remembered() {
            let record = self.order(case, &key, &[&self.story.date]).await?;
            let before = self.effects(case).await?;
            let mut delete = Delete::of(&record);
            delete.company.clone_from(&self.story.company);
            self.done(case, delete).await?;
            self.check_effects(case, before, 1).await?;
            let at = self.at(record.entity(), &key);
            let gone = self.erp.get(&at, &Shape::of([self.story.date.clone()])).await;
            case.refused(gone, "not_found", "get, of a deleted record")?;
        }
        Ok(())
    }

    pub(super) fn order_entity(&self, case: Case) -> Result<EntityName, Violation> {
        let table = case.ok(self.erp.documents().table(DocumentKind::PurchaseOrder), "documents")?;
        Ok(table.entity.clone())
    }

    pub(super) async fn order(&self, case: Case, key: &RecordKey, fields: &[&FieldName]) -> Result<Record, Violation> {
        let at = self.at(&self.order_entity(case)?, key);
        let shape = Shape::of(fields.iter().copied().cloned());
        case.ok(self.erp.get(&at, &shape).await, "get")
    }

    pub(super) fn update(&self, record: &Record, field: &FieldName, value: impl Into<Value>) -> Update {
        let mut update = Update::of(record).set_from(record, field.clone(), value);
        update.company.clone_from(&self.story.company);
        update
    }

    async fn set_day(&self, case: Case, key: &RecordKey, day: Date) -> Result<(), Violation> {
        let record = self.order(case, key, &[&self.story.date]).await?;
        self.done(case, self.update(&record, &self.story.date, day)).await?;
        Ok(())
    }

    async fn check_day(&self, case: Case, key: &RecordKey, day: Date, expected: &str) -> Result<(), Violation> {
        let record = self.order(case, key, &[&self.story.date]).await?;
        let held = record.value(self.story.date.as_str()).and_then(Value::as_date);
        case.check(held == Some(day), expected)
    }
}
