//! What is approved of a write: every field of it is in the digest, in the review, and what no reviewer could judge is refused.

use proptest::prelude::*;
use serde_json::Value as Json;

use crate::action::canonical::content_digest;
use crate::action::{Action as _, Digest, ReviewContent};
use crate::erp::{
    ActionCall, Base, Batch, Columns, Create, Delete, Etag, FieldChange, Lines, Record, RecordKey, Relation, Update,
    Value, Write,
};
use crate::error::ErrorKind;

fn record() -> Record {
    let columns = Columns::new(["due", "note", "partner"]);
    let values = vec![
        Value::Date("2026-12-01".parse().unwrap()),
        Value::Null,
        Relation::to("12").in_entity("res.partner").labelled("ACME").into(),
    ];
    Record::new("purchase.order".into(), "7".into(), columns, values).with_etag(Etag::new("W/\"1\""))
}

/// One write of each kind that uses every field there is, and every type of value.
fn rich() -> Vec<Write> {
    let record = record();
    let every = vec![
        Value::Null,
        true.into(),
        7.into(),
        Value::Decimal("1.50".parse().unwrap()),
        "text".into(),
        Value::Enum("draft".into()),
        Value::Date("2026-12-01".parse().unwrap()),
        Value::Time("10:30:00".parse().unwrap()),
        Value::Instant("2026-12-01T10:30:00Z".parse().unwrap()),
        bytes::Bytes::from_static(b"\x00\x01").into(),
        Relation::to("12").in_entity("res.partner").labelled("ACME").into(),
        Value::Record(Box::new(record.clone())),
        Value::Records(vec![record.clone(), record.clone()]),
    ];
    let create = Create::new("purchase.order")
        .in_company("c1")
        .set("all", Value::List(every))
        .set("note", "x")
        .lines(
            Lines::new("lines")
                .row([("item", "desk".into()), ("quantity", 3.into())])
                .row([("item", "chair".into())]),
        )
        .lines(Lines::new("notes").row([("text", "hello".into())]))
        .with_natural_key("reference", "AT-1");
    let update = Update::of(&record)
        .in_company("c1")
        .set_from(&record, "due", Value::Date("2026-12-02".parse().unwrap()))
        .change(FieldChange {
            field: "note".into(),
            old: None,
            new: "new".into(),
        });
    let composite = RecordKey::composite([("Order", "4711"), ("Item", "10")]);
    let by_version = Update::at("item", composite, Base::Version("2026-11-01".into())).set_from(&record, "note", "x");
    let delete = Delete::of(&record).in_company("c1");
    let call = ActionCall::on(&record, "Microsoft.NAV.post")
        .in_company("c1")
        .with("mode", "quiet");
    let unbound = ActionCall::unbound("purchase.order", "run").with("count", 3);
    let mut old_values = update.clone();
    old_values.base = Base::OldValues;
    old_values.changes.truncate(1);
    let batch = Batch::atomic([
        Write::from(create.clone()),
        update.clone().into(),
        delete.clone().into(),
        call.clone().into(),
    ]);
    vec![
        create.into(),
        update.into(),
        by_version.into(),
        old_values.into(),
        delete.into(),
        call.into(),
        unbound.into(),
        batch.into(),
    ]
}

/// Every write that differs from this one in one place of its stored form and can still be read.
fn neighbours(write: &Write) -> Vec<(String, Write)> {
    let json = serde_json::to_value(write).unwrap();
    let mut found = Vec::new();
    for path in paths(&json, "") {
        let there = json.pointer(&path).unwrap();
        for other in others(there) {
            let mut changed = json.clone();
            *changed.pointer_mut(&path).unwrap() = other;
            if let Ok(read) = serde_json::from_value::<Write>(changed) {
                found.push((path.clone(), read));
            }
        }
    }
    found
}

fn paths(json: &Json, at: &str) -> Vec<String> {
    let mut all = vec![at.to_owned()];
    match json {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                all.extend(paths(item, &format!("{at}/{index}")));
            }
        }
        Json::Object(fields) => {
            for (name, field) in fields {
                all.extend(paths(
                    field,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                ));
            }
        }
        _ => {}
    }
    all
}

/// Other values for one place: of some only one can be read, as a date is not a word.
fn others(json: &Json) -> Vec<Json> {
    match json {
        Json::Null => vec!["other".into(), serde_json::json!({"text": "other"})],
        Json::Bool(held) => vec![(!held).into()],
        Json::Number(number) => vec![(number.as_i64().unwrap() + 1).into()],
        Json::String(text) => vec![
            format!("{text}x").into(),
            "2027-01-09".into(),
            "09:09:09".into(),
            "2027-01-09T09:09:09Z".into(),
            "9.75".into(),
            Json::Null,
        ],
        Json::Array(items) => {
            let mut fewer = items.clone();
            fewer.pop();
            let mut more = items.clone();
            more.extend(items.last().cloned());
            let mut turned = items.clone();
            turned.reverse();
            vec![fewer.into(), more.into(), turned.into(), Json::Null]
        }
        Json::Object(_) => vec![Json::Null, serde_json::json!({"text": "other"})],
    }
}

fn stored(write: &Write) -> String {
    serde_json::to_string(write).unwrap()
}

#[test]
fn the_digest_changes_with_every_field() {
    let mut tried = 0;
    for write in rich() {
        let (digest, text) = (content_digest(&write), stored(&write));
        for (path, other) in neighbours(&write) {
            let same = stored(&other) == text;
            assert_eq!(
                content_digest(&other) == digest,
                same,
                "{} at {path} is not in the digest",
                write.verb()
            );
            tried += usize::from(!same);
        }
    }
    assert!(tried > 300, "only {tried} changes were tried");
}

fn word() -> impl Strategy<Value = String> {
    "[ab]{0,2}"
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_i64..3).prop_map(Value::from),
        (0_i64..3).prop_map(|number| Value::Decimal(number.into())),
        word().prop_map(Value::from),
        word().prop_map(Value::Enum),
        word().prop_map(|key| Relation::to(key).into()),
    ]
}

fn pairs() -> impl Strategy<Value = Vec<(String, Value)>> {
    proptest::collection::vec((word(), value()), 0..3)
}

fn single() -> impl Strategy<Value = Write> {
    let create = (word(), pairs(), proptest::collection::vec(pairs(), 0..3)).prop_map(|(entity, fields, rows)| {
        let mut create = Create::new(entity);
        for (field, value) in fields {
            create = create.set(field, value);
        }
        let lines = rows.into_iter().fold(Lines::new("l"), Lines::row);
        Write::from(create.lines(lines))
    });
    let update = (word(), word(), pairs()).prop_map(|(entity, key, fields)| {
        let mut update = Update::at(entity, key.as_str(), Base::OldValues);
        for (field, new) in fields {
            update = update.change(FieldChange {
                field: field.into(),
                old: None,
                new,
            });
        }
        Write::from(update)
    });
    let call = (word(), word(), pairs()).prop_map(|(entity, action, parameters)| {
        let mut call = ActionCall::unbound(entity, action);
        for (name, value) in parameters {
            call = call.with(name, value);
        }
        Write::from(call)
    });
    prop_oneof![create, update, call]
}

fn any_write() -> impl Strategy<Value = Write> {
    let parts = proptest::collection::vec(single(), 0..3);
    let batch = (parts, any::<bool>()).prop_map(|(parts, atomic)| {
        let mut batch = Batch::independent(parts);
        batch.atomic = atomic;
        Write::from(batch)
    });
    prop_oneof![3 => single(), 1 => batch]
}

proptest! {
    #[test]
    fn two_writes_share_a_digest_only_if_they_are_the_same(one in any_write(), other in any_write()) {
        prop_assert_eq!(content_digest(&one) == content_digest(&other), stored(&one) == stored(&other));
    }

    #[test]
    fn a_stored_write_keeps_its_digest(write in any_write()) {
        let read: Write = serde_json::from_str(&stored(&write)).unwrap();
        let digest: Digest = content_digest(&read);
        prop_assert_eq!(digest, content_digest(&write));
    }
}

fn facts(write: &Write) -> Vec<(String, String)> {
    match write.review() {
        ReviewContent::Facts(facts) => facts,
        other => panic!("{other:?}"),
    }
}

fn shows(write: &Write, expected: &[(&str, &str)]) {
    let facts = facts(write);
    for (name, value) in expected {
        let found = facts.iter().any(|(known, held)| known == name && held == value);
        assert!(found, "{name}: {value} is not in {facts:?}");
    }
}

#[test]
fn a_review_shows_what_would_be_written_where() {
    let all = rich();
    let (create, update, delete, call, batch) = (&all[0], &all[1], &all[4], &all[5], &all[7]);
    shows(
        create,
        &[
            ("Write", "create purchase.order"),
            ("Company", "c1"),
            ("note", "“x”"),
            ("lines 1", "item “desk” · quantity 3"),
            ("lines 2", "item “chair”"),
            ("notes 1", "text “hello”"),
            ("Found by", "reference “AT-1”"),
        ],
    );
    let new_date = [
        ("Write", "update purchase.order"),
        ("Company", "c1"),
        ("Record", "7"),
        ("due", "2026-12-01 → 2026-12-02"),
        ("note", "(not read) → “new”"),
        ("Only if", "exactly as read (ETag)"),
    ];
    shows(update, &new_date);
    let version = [
        ("Record", "Order=4711,Item=10"),
        ("note", "- → “x”"),
        ("Only if", "exactly as read (time of last change)"),
    ];
    shows(&all[2], &version);
    shows(&all[3], &[("Only if", "the old values as read")]);
    shows(delete, &[("Write", "delete purchase.order"), ("partner", "ACME (12)")]);
    let posted = [
        ("Write", "action purchase.order"),
        ("Calls", "Microsoft.NAV.post"),
        ("with mode", "“quiet”"),
    ];
    shows(call, &posted);
    shows(
        batch,
        &[("Batch", "4 writes, all together or not at all"), ("-- 2", "")],
    );
    shows(batch, &new_date);
}

#[test]
fn what_no_reviewer_could_judge_is_refused() {
    let record = record();
    let bare = Record::new("order".into(), "7".into(), Columns::new(["due"]), vec![Value::Null]);
    let change = || Update::of(&record).set_from(&record, "due", "x");
    let mut no_key = change();
    no_key.key = RecordKey::single("");
    let mut no_parts = change();
    no_parts.key = RecordKey::Composite(Vec::new());
    let mut astray = Create::new("order").with_natural_key("reference", "A");
    astray.fields[0].1 = "B".into();
    let mut unread = Delete::of(&bare);
    unread.about.clear();
    let mut blind = ActionCall::on(&bare, "post");
    blind.about.clear();
    let here = || Write::from(change().in_company("c1"));
    let cases: Vec<(Write, &str)> = vec![
        (Create::new("").set("a", 1).into(), "it names no entity"),
        (Create::new("order").into(), "it sets no field"),
        (
            Create::new("order").set("a", 1).set("a", 2).into(),
            "it sets a field twice",
        ),
        (
            Create::new("order").set("", 1).into(),
            "it names a field without a name",
        ),
        (
            Create::new("order")
                .set("a", 1)
                .lines(Lines::new("lines").row([("b", 1.into()), ("b", 2.into())]))
                .into(),
            "it sets a field twice",
        ),
        (
            Create::new("order").with_natural_key("reference", Value::Null).into(),
            "its natural key has no value",
        ),
        (astray.into(), "its natural key is not among its fields"),
        (Update::of(&record).into(), "it changes nothing"),
        (no_key.into(), "it names no record"),
        (no_parts.into(), "it names no record"),
        (
            Update::of(&bare).set_from(&bare, "note", "x").into(),
            "it has neither ETag nor version, and a field whose old value was not read",
        ),
        (
            unread.into(),
            "it has neither ETag nor version, and nothing that was read",
        ),
        (
            blind.into(),
            "it has neither ETag nor version, and nothing that was read",
        ),
        (ActionCall::unbound("order", "a.").into(), "it names no action"),
        (Batch::atomic([]).into(), "a batch has no parts, or more than 1,000"),
        (
            Batch::atomic(vec![here(); 1_001]).into(),
            "a batch has no parts, or more than 1,000",
        ),
        (
            Batch::atomic([Batch::atomic([here()]).into()]).into(),
            "a batch holds a batch",
        ),
        (
            Batch::atomic([here(), change().into()]).into(),
            "the parts of a batch are in different companies",
        ),
        (Batch::atomic([Create::new("order").into()]).into(), "it sets no field"),
    ];
    for (write, expected) in cases {
        let error = write.check().unwrap_err();
        let kind = ErrorKind::Invalid {
            what: "write",
            why: expected,
        };
        assert_eq!(*error.kind(), kind);
    }
    for write in rich() {
        write.check().unwrap();
    }
}
