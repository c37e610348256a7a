//! The program text: one for every ERP. It works with the trait, the gate and the outbox, and names no system.

use std::time::Duration;

use atlas_connectors::action::{Intent, IntentState, Outcome, Proposal};
use atlas_connectors::connection::ConnectionSummary;
use atlas_connectors::erp::{
    Create, Customer, Delete, Document as _, DocumentField, DocumentFilter, DocumentKind, DocumentRef, ErpConnector,
    ErpConnectorExt as _, Expectation, ExpectedEntity, FieldKind, Item, NewLine, NewOrder, RecordKey, RecordRef,
    SalesOrder, Shape, Update, Value, Vendor, Verb, Write,
};
use atlas_connectors::{Clock as _, ConnectionRef, SystemClock};

use crate::erp::NewErp;
use crate::erp_story::{Stage, Story};
use crate::host::Host;
use crate::ui::Tone;

/// Who proposes, and who reviews.
const AUTHOR: &str = "olivia";
const REVIEWER: &str = "ravi";
/// The dates that the program and the colleague want.
const WANTED: &str = "2026-12-01";
const COLLEAGUES: &str = "2026-12-15";

/// The steps, in order; one row of the table each.
pub const STEPS: [&str; 12] = [
    "connect",
    "find the customer",
    "read open orders",
    "check the catalog",
    "expect too much",
    "order once",
    "same job again",
    "answer lost",
    "date under conflict",
    "delete",
    "change as a reader",
    "order for nobody",
];

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// In a few words.
    pub text: String,
    /// How it turned out.
    pub tone: Tone,
}

/// What came of all steps with one ERP.
#[derive(Clone, Debug)]
pub struct Column {
    /// The ERP.
    pub title: &'static str,
    /// One for each of [`STEPS`].
    pub cells: Vec<Cell>,
    /// What the reviewer of the purchase order was shown.
    pub review: String,
    /// What the failed check said, and what to do.
    pub fault: String,
    /// What the system said about the order that it refused.
    pub refusal: String,
}

/// Plays the story with one ERP.
///
/// # Errors
/// A step that ended otherwise than it must.
pub(super) async fn script(host: &Host, stage: &Stage) -> Story<Column> {
    let mut play = Play {
        host,
        stage,
        cells: Vec::new(),
    };
    let summary = play.connect().await?;
    let erp = host.erp(&summary.reference.connection).await?;
    let customer = play.find_customer(&*erp).await?;
    let orders = play.read_orders(&*erp).await?;
    let fault = play.check_catalog(&*erp, &summary).await?;
    // The failed check has paused the connection and the good one has ended that; the epoch is the same.
    let review = play.order_once(&*erp, &summary.reference).await?;
    play.cut_off(&*erp, &summary.reference).await?;
    let order = orders.first().ok_or("there is no open sales order")?;
    play.conflict(&*erp, &summary.reference, order).await?;
    play.forbidden(&summary.reference, &customer).await?;
    play.not_permitted(&*erp, order).await?;
    let refusal = play.not_valid(&*erp, &summary.reference).await?;
    Ok(Column {
        title: stage.title,
        cells: play.cells,
        review,
        fault,
        refusal,
    })
}

struct Play<'a> {
    host: &'a Host,
    stage: &'a Stage,
    cells: Vec<Cell>,
}

impl Play<'_> {
    async fn connect(&mut self) -> Story<ConnectionSummary> {
        let erps = self.host.erps();
        let new = NewErp {
            tenant: self.host.tenant().clone(),
            place: self.stage.place.clone(),
            credential: self.stage.credential.clone(),
            renewing: None,
            company: None,
        };
        let connected = erps.connect(new).await?;
        let summary = self.summary(&connected.connection).await?;
        let found = connected.companies.len();
        let told = match (&connected.company, &self.stage.company) {
            (Some(_), _) => "the only company".to_owned(),
            // Several: the connection waits until somebody chooses. The first in the list is never taken.
            (None, Some(company)) => {
                erps.select_company(&summary, company).await?;
                format!("company, 1 of {found}")
            }
            (None, None) => "no companies".to_owned(),
        };
        let summary = self.summary(&connected.connection).await?;
        if !summary.status.may_work() {
            return Err(format!("the connection is {}", summary.status.code()).into());
        }
        self.done(told);
        Ok(summary)
    }

    async fn find_customer(&mut self, erp: &dyn ErpConnector) -> Story<Customer> {
        let named = DocumentRef::name(self.stage.customer);
        let customer: Option<Customer> = erp.find_document(&named).await?;
        let customer = customer.ok_or("the customer was not found")?;
        self.done(customer.name.clone().unwrap_or_default());
        Ok(customer)
    }

    async fn read_orders(&mut self, erp: &dyn ErpConnector) -> Story<Vec<SalesOrder>> {
        let orders: Vec<SalesOrder> = erp.find_documents(&DocumentFilter::all().open().limit(50)).await?;
        let lines: usize = orders.iter().map(|order| order.lines.len()).sum();
        self.done(format!("{} orders, {lines} lines", orders.len()));
        Ok(orders)
    }

    /// What the workflow needs is written down once, and checked before anything is written.
    async fn check_catalog(&mut self, erp: &dyn ErpConnector, summary: &ConnectionSummary) -> Story<String> {
        let (table, catalog) = erp.document_table(DocumentKind::PurchaseOrder, None).await?;
        let order = ExpectedEntity::new(table.entity.clone()).verbs([Verb::Read, Verb::Create]);
        let mut needs = Expectation::new("order what is short").entity(order.clone());
        needs.services.extend(self.stage.service.map(str::to_owned));
        let catalog = match needs.services.is_empty() {
            true => catalog,
            false => erp.catalog(&atlas_connectors::erp::CatalogScope::all()).await?,
        };
        let report = catalog.check(&needs);
        if !report.passed() {
            return Err(format!("the catalog does not fit: {report}").into());
        }
        self.done("fits".to_owned());

        let wishful = Expectation::new("order what is short").entity(order.field("loyaltyPoints", FieldKind::Integer));
        let failed = catalog.check(&wishful);
        let fault = failed.faults.first().ok_or("a field that is not there was found")?;
        let connections = self.host.connections();
        connections.checked_catalog(&summary.reference, &failed).await?;
        let paused = self.summary(&summary.reference).await?;
        let told = format!("{fault}. {}", fault.operator());
        self.refused(format!("{}: 1 field missing", paused.status.code()));
        // Somebody corrects the workflow; a check that passes ends the pause, and the next answer proves that it works.
        connections.checked_catalog(&summary.reference, &report).await?;
        let asked = SystemClock.now();
        erp.companies().await?;
        self.host.erps().answered(&summary.reference, asked).await?;
        Ok(told)
    }

    /// Held, reviewed, approved, written. The job's name makes the proposal repeatable.
    async fn order_once(&mut self, erp: &dyn ErpConnector, connection: &ConnectionRef) -> Story<String> {
        let order = self.order(erp, "ATLAS-0001", "10").await?;
        let before = self.stage.hand.purchase_orders();
        let proposal = Proposal::new(connection, AUTHOR, "job-1");
        let gate = self.host.outbox().gate();
        let Outcome::Held { intent, review } = gate.propose(proposal, Write::from(order.clone())).await? else {
            return Err("the order was not held".into());
        };
        if self.stage.hand.purchase_orders() != before {
            return Err("the order was written without an approval".into());
        }
        gate.approve(self.host.tenant(), &intent, &REVIEWER.into(), &review.digest)
            .await?;
        let ended = self.settle(&intent).await?;
        let written = ended.outcome_of::<Write>().ok_or_else(|| told(&ended))?;
        let key = written.key.ok_or("the order has no key")?;
        self.counted(1, number_of(erp, key).await?)?;

        // After a crash, by a doubled notification, by a second worker: the same job is the same order.
        let again = gate
            .propose(Proposal::new(connection, AUTHOR, "job-1"), Write::from(order))
            .await?;
        let again = self.settle(again.intent()).await?;
        if again.state != IntentState::Sent {
            return Err(told(&again).into());
        }
        self.counted(1, "known".to_owned())?;
        Ok(review.to_string())
    }

    /// The system books the order and the line goes dead. Nobody may order twice, and nobody may say that it failed.
    async fn cut_off(&mut self, erp: &dyn ErpConnector, connection: &ConnectionRef) -> Story<()> {
        let order = self.order(erp, "ATLAS-0002", "5").await?;
        self.stage.hand.lose_next_answer();
        let ended = self.approved(connection, "job-2", order.into()).await?;
        if ended.state != IntentState::Sent {
            return Err(told(&ended).into());
        }
        self.counted(2, "found again".to_owned())
    }

    /// A colleague moves the delivery between review and write: what was approved is not what is there any more.
    async fn conflict(&mut self, erp: &dyn ErpConnector, connection: &ConnectionRef, order: &SalesOrder) -> Story<()> {
        let update = moved(erp, order).await?;
        let intent = self.held(connection, "job-3", update.into()).await?;
        self.stage.hand.colleague_moves(order.key(), COLLEAGUES);
        let before = self.stage.hand.effects();
        let ended = self.settle(&intent).await?;
        self.not_written(&ended, before)
    }

    async fn forbidden(&mut self, connection: &ConnectionRef, customer: &Customer) -> Story<()> {
        let proposal = Proposal::new(connection, AUTHOR, "job-4");
        let delete = Write::from(Delete::of(customer.record()));
        match self.host.outbox().gate().propose(proposal, delete).await? {
            Outcome::Denied { rule, .. } => self.refused(format!("policy {rule}")),
            other => return Err(format!("a deletion was not forbidden: {}", other.intent()).into()),
        }
        Ok(())
    }

    /// The gate lets it pass, the system does not.
    async fn not_permitted(&mut self, erp: &dyn ErpConnector, order: &SalesOrder) -> Story<()> {
        let number = order.number.as_deref().ok_or("the order has no number")?;
        let order: Option<SalesOrder> = erp.find_document(&DocumentRef::number(number)).await?;
        let update = moved(erp, &order.ok_or("the order is gone")?).await?;
        let (place, credential) = self.stage.reader.clone();
        let new = NewErp {
            tenant: self.host.tenant().clone(),
            place,
            credential,
            renewing: None,
            company: self.stage.company.clone(),
        };
        let reader = self.host.erps().connect(new).await?.connection;
        let before = self.stage.hand.effects();
        let ended = self.approved(&reader, "job-5", update.into()).await?;
        self.not_written(&ended, before)
    }

    async fn not_valid(&mut self, erp: &dyn ErpConnector, connection: &ConnectionRef) -> Story<String> {
        let table = erp.documents().table(DocumentKind::SalesOrder)?;
        let mut order = Create::new(table.entity.clone());
        for (field, value) in &table.defaults {
            order = order.set(field.clone(), value.clone());
        }
        let order = order.with_natural_key(table.needed(DocumentField::Reference)?.clone(), "ATLAS-0003");
        let before = self.stage.hand.effects();
        let ended = self.approved(connection, "job-6", order.into()).await?;
        self.not_written(&ended, before)?;
        let rejection = ended.rejection.as_ref();
        let said = rejection.and_then(|rejection| rejection.messages.first());
        // The first line says what is wrong; some systems go on with what else it might have been.
        let said = said.and_then(|message| message.text.reveal().lines().next());
        Ok(said.map_or_else(|| told(&ended), str::to_owned))
    }

    /// A purchase order in common words; the table of the system makes a write of it.
    async fn order(&self, erp: &dyn ErpConnector, reference: &str, quantity: &str) -> Story<Create> {
        let vendor: Option<Vendor> = erp.find_document(&DocumentRef::name(self.stage.vendor)).await?;
        let item: Option<Item> = erp.find_document(&DocumentRef::number(self.stage.item)).await?;
        let (vendor, item) = (vendor.ok_or("no such vendor")?, item.ok_or("no such item")?);
        let line = NewLine::new(item.key().clone(), quantity.parse()?).at("12.50".parse()?);
        let mut order = NewOrder::new(DocumentKind::PurchaseOrder, vendor.key().clone(), reference).line(line);
        order.also.clone_from(&self.stage.also);
        Ok(erp.documents().table(DocumentKind::PurchaseOrder)?.create(&order)?)
    }

    /// Proposes, and approves what was shown.
    async fn held(&self, connection: &ConnectionRef, job: &str, write: Write) -> Story<atlas_connectors::IntentId> {
        let gate = self.host.outbox().gate();
        let Outcome::Held { intent, review } = gate.propose(Proposal::new(connection, AUTHOR, job), write).await?
        else {
            return Err(format!("{job} was not held").into());
        };
        gate.approve(self.host.tenant(), &intent, &REVIEWER.into(), &review.digest)
            .await?;
        Ok(intent)
    }

    async fn approved(&self, connection: &ConnectionRef, job: &str, write: Write) -> Story<Intent> {
        let intent = self.held(connection, job, write).await?;
        self.settle(&intent).await
    }

    /// What the outbox's worker does: steps until nothing more happens by itself.
    async fn settle(&self, intent: &atlas_connectors::IntentId) -> Story<Intent> {
        for _ in 0..200 {
            let now = self.host.outbox().dispatch(self.host.tenant(), intent).await?;
            if now.state.is_settled() {
                return Ok(now);
            }
            SystemClock.sleep(Duration::from_millis(25)).await;
        }
        Err("an intent did not come to an end".into())
    }

    async fn summary(&self, connection: &ConnectionRef) -> Story<ConnectionSummary> {
        let summary = self
            .host
            .connections()
            .summary(self.host.tenant(), &connection.connection);
        Ok(summary.await?)
    }

    /// It ended without an effect, by the outbox's word and by the system's own count.
    fn not_written(&mut self, ended: &Intent, before: u64) -> Story<()> {
        if ended.state != IntentState::NotSent || self.stage.hand.effects() != before {
            return Err(told(ended).into());
        }
        self.refused(ended.reason.clone().unwrap_or_default());
        Ok(())
    }

    /// Nothing counts but what the system itself has counted.
    fn counted(&mut self, wanted: u64, told: String) -> Story<()> {
        let counted = self.stage.hand.purchase_orders();
        if counted != wanted {
            return Err(format!("{}: {counted} orders instead of {wanted}", self.stage.title).into());
        }
        self.done(format!("{told}, counted {counted}"));
        Ok(())
    }

    fn done(&mut self, text: String) {
        self.cells.push(Cell { text, tone: Tone::Good });
    }

    fn refused(&mut self, text: String) {
        self.cells.push(Cell { text, tone: Tone::Warn });
    }
}

/// The order with the wanted delivery date, in the type that the field has in this system.
async fn moved(erp: &dyn ErpConnector, order: &SalesOrder) -> Story<Update> {
    let (table, catalog) = erp.document_table(DocumentKind::SalesOrder, None).await?;
    let name = table.needed(DocumentField::DueDate)?;
    let field = catalog
        .entity(table.entity.as_str())
        .and_then(|entity| entity.field(name.as_str()));
    let day = match field.map(|field| field.kind) {
        Some(FieldKind::Instant) => Value::Instant(format!("{WANTED}T08:00:00Z").parse()?),
        _ => Value::Date(WANTED.parse()?),
    };
    Ok(table.update(order, [(DocumentField::DueDate, day)])?)
}

/// The number that people know a purchase order by.
async fn number_of(erp: &dyn ErpConnector, key: RecordKey) -> Story<String> {
    let table = erp.documents().table(DocumentKind::PurchaseOrder)?;
    let name = table.needed(DocumentField::Number)?;
    let at = RecordRef::new(table.entity.clone(), key);
    let record = erp.get(&at, &Shape::of([name.clone()])).await?;
    Ok(record.value(name.as_str()).map(ToString::to_string).unwrap_or_default())
}

/// Where an intent ended and why, with what the system said.
fn told(ended: &Intent) -> String {
    let mut told = format!("{} {}", ended.state, ended.reason.as_deref().unwrap_or_default());
    for field in ended.rejection.iter().flat_map(|rejection| &rejection.fields) {
        told = format!("{told}, {} {}", field.field, field.code);
    }
    for message in ended.rejection.iter().flat_map(|rejection| &rejection.messages) {
        told = format!("{told}: {}", message.text.reveal());
    }
    told
}
