//! The suite's story in memory, for the tests of the suite and of the outbox.

use async_trait::async_trait;

use crate::erp::{
    ActionSpec, Catalog, Company, Create, Date, Decimal, DocumentField as F, DocumentKind, DocumentMap, DocumentRef,
    DocumentState, DocumentTable, Entity, EnumValue, Expectation, ExpectedEntity, Field, FieldKind, FieldName,
    LineField as L, LineTable, Lines, RecordKey, RecordRef, Relation, Value, Verb, field,
};
use crate::error::Result;
use crate::testkit::suites::{ErpStory, ErpWorld, LostAnswer, StoryAction, StoryOrder};
use crate::testkit::{ErpFault, MemoryErp, RecordStates};

pub(crate) const ORDERS: &str = "purchase.order";

fn relation(name: &str, to: &str) -> Field {
    Field {
        relation: Some(to.into()),
        ..Field::new(name, FieldKind::Relation)
    }
}

fn lines(name: &str, to: &str) -> Field {
    Field {
        relation: Some(to.into()),
        ..Field::new(name, FieldKind::Relations)
    }
}

fn states(values: &[&str]) -> Field {
    Field {
        values: values.iter().map(|value| EnumValue::new(*value, *value)).collect(),
        ..Field::new("state", FieldKind::Enum)
    }
}

fn decimal(name: &str, scale: Option<u32>) -> Field {
    Field {
        scale,
        ..Field::new(name, FieldKind::Decimal)
    }
}

fn text(name: &str, length: u32) -> Field {
    Field {
        length: Some(length),
        ..Field::new(name, FieldKind::Text)
    }
}

/// The metadata of the story.
pub(crate) fn catalog() -> Catalog {
    let mut catalog = Catalog::new("memory", crate::Timestamp::UNIX_EPOCH);
    for name in ["customer", "vendor", "item", "secret"] {
        let mut entity = Entity::new(name, ["no"]);
        entity.fields = vec![text("no", 20), text("name", 50), decimal("balance", Some(2))];
        catalog.entities.push(entity);
    }
    for (order, line, partner, party) in [
        ("sales.order", "sales.line", "customer_id", "customer"),
        (ORDERS, "purchase.line", "vendor_id", "vendor"),
    ] {
        let mut entity = Entity::new(order, ["id"]);
        entity.fields = vec![
            Field {
                read_only: true,
                ..Field::new("id", FieldKind::Integer)
            },
            text("number", 20),
            relation(partner, party),
            text("reference", 20),
            Field::new("due", FieldKind::Date),
            states(&["draft", "open", "done"]),
            decimal("total", Some(2)),
            decimal("factor", None),
            text("note", 30),
            lines("lines", line),
        ];
        entity.actions = vec![ActionSpec::new("Story.confirm"), ActionSpec::new("Story.ask")];
        catalog.entities.push(entity);
        let mut entity = Entity::new(line, ["id"]);
        entity.fields = vec![
            Field {
                read_only: true,
                ..Field::new("id", FieldKind::Integer)
            },
            relation("order_id", order),
            relation("item_id", "item"),
            decimal("quantity", None),
            decimal("price", Some(2)),
        ];
        catalog.entities.push(entity);
    }
    catalog
}

fn documents() -> DocumentMap {
    let master = |kind: DocumentKind, entity: &str| {
        DocumentTable::new(kind, entity).fields([(F::Number, "no"), (F::Name, "name")])
    };
    let order = |kind: DocumentKind, entity: &str, line: &str, partner: &str| {
        DocumentTable::new(kind, entity)
            .open(field("state").equals(Value::Enum("open".into())))
            .fields([
                (F::Number, "number"),
                (F::Partner, partner),
                (F::Reference, "reference"),
                (F::DueDate, "due"),
                (F::State, "state"),
                (F::Total, "total"),
            ])
            .fields([(F::PartnerName, format!("{partner}.name"))])
            .states([
                ("draft", DocumentState::Draft),
                ("open", DocumentState::Open),
                ("done", DocumentState::Done),
            ])
            .lines(LineTable::new(
                "lines",
                line,
                [(L::Item, "item_id"), (L::Quantity, "quantity"), (L::Price, "price")],
            ))
    };
    DocumentMap::new(
        "memory",
        [
            master(DocumentKind::Customer, "customer"),
            master(DocumentKind::Vendor, "vendor"),
            master(DocumentKind::Item, "item"),
            order(DocumentKind::SalesOrder, "sales.order", "sales.line", "customer_id"),
            order(DocumentKind::PurchaseOrder, ORDERS, "purchase.line", "vendor_id"),
        ],
    )
}

/// The story's ERP, with what its records carry.
pub(crate) fn erp(states: RecordStates) -> MemoryErp {
    let confirmed = [("state", Value::Enum("open".into()))];
    let erp = MemoryErp::new(catalog())
        .with_documents(documents())
        .with_companies(
            [Company::new("c1", "Acme"), Company::new("c2", "Acme Abroad")],
            Some("c1".into()),
        )
        .with_states(states)
        .with_page_size(50)
        .with_numbers(ORDERS, "number", "P")
        .with_action(ORDERS, "Story.confirm", confirmed)
        .with_question(ORDERS, "Story.ask")
        .refusing(ORDERS, "note", "forbidden_word", |value| {
            value.as_str() == Some("secret discount of 12.75")
        });
    erp.deny("secret", "create");
    let put = |create: Create| erp.put(&create).unwrap();
    for (number, name) in [
        ("10", "Adatum"),
        ("20", "Ädatum & Söhne"),
        ("30", "O'Neil \"x\" 100% +1"),
        ("40", "Relecloud/Nord"),
        ("50", "Trey Research"),
    ] {
        put(Create::new("customer")
            .set("no", number)
            .set("name", name)
            .set("balance", 10));
    }
    put(Create::new("vendor").set("no", "V1").set("name", "Fabrikam"));
    put(Create::new("vendor").set("no", "V2").set("name", "First Up"));
    put(Create::new("item").set("no", "1896-S").set("name", "Athens Desk"));
    for (number, state, rows) in [("SO-1", "open", 2), ("SO-2", "done", 1), ("SO-3", "open", 1)] {
        let total: Decimal = "99.90".parse().unwrap();
        let mut of = Lines::new("lines");
        for quantity in 1..=rows {
            of = of.row([
                ("item_id", Relation::to("1896-S").into()),
                ("quantity", Value::from(quantity)),
            ]);
        }
        put(Create::new("sales.order")
            .set("number", number)
            .set("customer_id", Relation::to("10"))
            .set("state", Value::Enum(state.into()))
            .set("total", total)
            .lines(of));
    }
    erp
}

/// The world around a [`MemoryErp`] that plays the story.
#[derive(Clone, Debug)]
pub(crate) struct StoryWorld {
    pub(crate) erp: MemoryErp,
}

pub(crate) fn days() -> [Date; 3] {
    ["2026-12-01", "2026-12-02", "2026-12-03"].map(|day| day.parse().unwrap())
}

#[async_trait]
impl ErpWorld for StoryWorld {
    fn story(&self) -> ErpStory {
        let (vendor, item) = (DocumentRef::name("Fabrikam"), DocumentRef::number("1896-S"));
        let mut story = ErpStory::new("Adatum", vendor, item, ("customer", "name", "balance"), "due", days());
        story.company = Some("c1".into());
        story.open_orders = vec![
            StoryOrder::new("SO-1", 2).totalling("99.90".parse().unwrap()),
            StoryOrder::new("SO-3", 1),
        ];
        story.other_orders = vec!["SO-2".into()];
        story.expectation = Expectation::new("story").entity(
            ExpectedEntity::new(ORDERS)
                .verbs([Verb::Read, Verb::Create, Verb::Update])
                .writes("reference", FieldKind::Text, 20)
                .states("state", ["open"])
                .action("story.CONFIRM"),
        );
        story.adjusted = Some((
            "total".into(),
            Value::Decimal("12.345".parse().unwrap()),
            Value::Decimal("12.35".parse().unwrap()),
        ));
        story.exact = Some(("factor".into(), "1234567890123456789012345.678".parse().unwrap()));
        story.action = Some(StoryAction::new("STORY.Confirm", "state", "open"));
        story.forbidden = Some(Create::new("secret").set("no", "1").set("name", "x").into());
        let refused = Create::new(ORDERS)
            .in_company("c1")
            .set("note", "secret discount of 12.75");
        story.refused = Some((refused.into(), Some("note".into())));
        story.deletes = true;
        story
    }

    async fn effects(&self) -> Result<Option<u64>> {
        Ok(Some(self.erp.effects()))
    }

    async fn requests(&self) -> Result<Option<u64>> {
        Ok(Some(self.erp.requests()))
    }

    async fn change(&self, at: &RecordRef, field: &FieldName, value: &Value) -> Result<bool> {
        self.erp.change(at, [(field.clone(), value.clone())])?;
        Ok(true)
    }

    async fn insert(&self) -> Result<Option<RecordKey>> {
        // Before all others, where a reader that counts positions goes wrong.
        let number = format!("{:05}", 90_000 - self.erp.records("customer"));
        let create = Create::new("customer")
            .set("no", format!("!{number}"))
            .set("name", format!("New {number}"));
        self.erp.put(&create).map(Some)
    }

    async fn delete(&self, at: &RecordRef) -> Result<bool> {
        self.erp.remove(at)?;
        Ok(true)
    }

    async fn lose(&self, answer: LostAnswer) -> Result<bool> {
        self.erp.fail_write(match answer {
            LostAnswer::BeforeTheEffect => ErpFault::LostBefore,
            LostAnswer::AfterTheEffect => ErpFault::LostAfter,
        });
        Ok(true)
    }
}
