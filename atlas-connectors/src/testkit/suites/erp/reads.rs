//! Cases about reading: companies, catalog, documents, conditions, pages.

use std::collections::BTreeSet;

use super::{Case, MAX_PAGES, Suite, Violation};
use crate::erp::{
    Capability, CatalogScope, Company, Customer, DocumentRef, DocumentState, EntityName, ErpConnectorExt as _,
    Expectation, ExpectedEntity, FidelityFault, FieldKind, Filter, ProbeOutcome, Probes, Query, Record, RecordKey,
    SalesOrder, Shape, Value, Verb, field,
};
use crate::ids::CompanyId;
use crate::page::PageToken;

/// A name that no ERP gives to anything.
const NOWHERE: &str = "AtlasNoSuchThing";

impl Suite<'_> {
    pub(super) async fn companies_are_listed(&self) -> Result<(), Violation> {
        let case = Case("companies_are_listed");
        let companies: Vec<Company> = case.ok(self.erp.companies().await, "companies")?;
        if !self.can.companies {
            return case.check(companies.is_empty(), "a system without companies lists none");
        }
        let ids: BTreeSet<&CompanyId> = companies.iter().map(|company| &company.id).collect();
        case.check(!companies.is_empty(), "a system with companies lists them")?;
        case.check(ids.len() == companies.len(), "each company is listed once")?;
        match self.company() {
            Some(company) => case.check(ids.contains(company), "the story's company is among them"),
            None => Ok(()),
        }
    }

    pub(super) async fn the_catalog_is_checked(&self) -> Result<(), Violation> {
        let case = Case("the_catalog_is_checked");
        let needs = &self.story.expectation;
        let mut scope = CatalogScope::entities(needs.entities.iter().map(|entity| entity.name.clone()));
        scope.company.clone_from(&self.story.company);
        if scope.entities.is_empty() {
            scope.entities.push(self.story.listing.clone());
        }
        let catalog = case.ok(self.erp.catalog(&scope).await, "catalog")?;
        let report = catalog.check(needs);
        case.check(
            report.passed(),
            &format!("the story's expectation is met, but: {report}"),
        )?;
        let Some(known) = scope.entities.first() else {
            return Ok(());
        };
        let wrong = Expectation::new("wrong")
            .entity(ExpectedEntity::new(known.clone()).field(NOWHERE, FieldKind::Text))
            .entity(ExpectedEntity::new(NOWHERE));
        let faults = catalog.check(&wrong).faults;
        let field =
            |fault: &FidelityFault| matches!(fault, FidelityFault::FieldMissing { entity, .. } if entity == known);
        let entity = |fault: &FidelityFault| matches!(fault, FidelityFault::EntityMissing { .. });
        case.check(
            faults.iter().any(field),
            "a field that is not there fails the expectation",
        )?;
        case.check(
            faults.iter().any(entity),
            "an entity that is not there fails the expectation",
        )?;
        let again = case.ok(self.erp.catalog(&scope.refreshed()).await, "catalog, read anew")?;
        case.check(
            again.fingerprint() == catalog.fingerprint(),
            "an unchanged system has the same fingerprint",
        )
    }

    pub(super) async fn a_test_tells_allowed_denied_and_missing(&self) -> Result<(), Violation> {
        let case = Case("a_test_tells_allowed_denied_and_missing");
        let missing = EntityName::new(NOWHERE);
        let mut probes = Probes::sign_in()
            .entity(self.story.listing.clone(), [Verb::Read])
            .entity(missing.clone(), [Verb::Read]);
        probes.company.clone_from(&self.story.company);
        let forbidden = self
            .story
            .forbidden
            .as_ref()
            .and_then(|write| Some((write.entity()?.clone(), verb_of(write.verb())?)));
        if let Some((entity, verb)) = &forbidden {
            probes = probes.entity(entity.clone(), [*verb]);
        }
        let effects = self.effects(case).await?;
        let report = case.ok(self.erp.test(&probes).await, "test")?;
        self.check_effects(case, effects, 0).await?;
        let of = |entity: &EntityName, verb| {
            let entity = entity.clone();
            report.outcome(&Capability::Entity { entity, verb })
        };
        case.check(
            report.outcome(&Capability::SignIn) == Some(&ProbeOutcome::Allowed),
            "signing in is allowed",
        )?;
        case.check(
            of(&self.story.listing, Verb::Read) == Some(&ProbeOutcome::Allowed),
            "reading what the story reads is allowed",
        )?;
        let told = of(&missing, Verb::Read);
        case.check(
            matches!(
                told,
                Some(ProbeOutcome::MissingService { .. } | ProbeOutcome::SchemaMismatch { .. })
            ),
            "an entity that is not there is told as missing",
        )?;
        if let Some((entity, verb)) = forbidden {
            let told = of(&entity, verb);
            case.check(
                matches!(told, Some(ProbeOutcome::Denied { .. } | ProbeOutcome::NotProbed { .. })),
                "what the account may not do is told as denied, or as not tried",
            )?;
        }
        case.check(!report.passed(), "a test with a missing entity does not pass")
    }

    pub(super) async fn the_customer_is_found_by_name(&self) -> Result<(), Violation> {
        let case = Case("the_customer_is_found_by_name");
        let named = |name: &str| self.documents().and(DocumentRef::name(name));
        let name = self.story.customer.as_str();
        let found: Option<Customer> = case.ok(self.erp.find_one(&named(name)).await, "find_one::<Customer>")?;
        let found = found.ok_or_else(|| Violation::new(case.0, "the customer is found by name"))?;
        case.check(
            found.name.as_deref() == Some(name),
            "the customer found has the name asked for",
        )?;
        let nobody: Option<Customer> = case.ok(self.erp.find_one(&named(NOWHERE)).await, "find_one::<Customer>")?;
        case.check(nobody.is_none(), "a name that nobody has finds nobody")
    }

    pub(super) async fn open_sales_orders_come_with_their_lines(&self) -> Result<(), Violation> {
        let case = Case("open_sales_orders_come_with_their_lines");
        if self.story.open_orders.is_empty() {
            return Ok(());
        }
        let wanted = self.documents().open();
        let open: Vec<SalesOrder> = case.ok(self.erp.find_documents(&wanted).await, "find_documents::<SalesOrder>")?;
        let numbered = |number: &str| open.iter().find(|order| order.number.as_deref() == Some(number));
        for told in &self.story.open_orders {
            let order = numbered(&told.number).ok_or_else(|| Violation::new(case.0, "every open order is found"))?;
            case.check(order.lines.len() == told.lines, "an order comes with all of its lines")?;
            let whole = order.lines.iter().all(|line| line.quantity.is_some());
            case.check(whole, "every line has its quantity")?;
            case.check(
                told.total.is_none() || order.total == told.total,
                "the amount is what the system holds",
            )?;
            case.check(
                matches!(
                    order.state.state,
                    DocumentState::Open | DocumentState::InProgress | DocumentState::Unknown
                ),
                "an open order is not told as draft, done or cancelled",
            )?;
        }
        let others = self.story.other_orders.iter();
        case.check(
            others.into_iter().all(|number| numbered(number).is_none()),
            "an order that is not open is not found among the open ones",
        )
    }

    pub(super) async fn what_does_not_fit_is_refused_before_a_call(&self) -> Result<(), Violation> {
        let case = Case("what_does_not_fit_is_refused_before_a_call");
        // The catalog may have to be read first.
        case.ok(self.erp.explain(&self.listing()).await, "explain")?;
        let before = self.requests(case).await?;
        let unknown = [
            self.listing().select([NOWHERE]),
            self.listing().filter(field(NOWHERE).equals("x")),
            self.listing().order_by(NOWHERE),
        ];
        for query in &unknown {
            case.refused(
                self.erp.explain(query).await,
                "schema_mismatch",
                "explain, unknown field",
            )?;
            case.refused(
                self.erp.read(query, None).await,
                "schema_mismatch",
                "read, unknown field",
            )?;
        }
        let wrong = field(self.story.typed.clone()).equals("neither number nor day");
        let wrong = self.listing().filter(wrong);
        case.refused(self.erp.explain(&wrong).await, "invalid", "explain, wrong type")?;
        case.refused(self.erp.read(&wrong, None).await, "invalid", "read, wrong type")?;
        let after = self.requests(case).await?;
        case.check(before == after, "what does not fit makes no request")
    }

    pub(super) async fn a_plan_names_every_condition(&self) -> Result<(), Violation> {
        let case = Case("a_plan_names_every_condition");
        let query = self.listing().filter(
            field(self.story.text.clone())
                .equals("x")
                .or(field(self.story.typed.clone()).is_null()),
        );
        let plan = case.ok(self.erp.explain(&query).await, "explain")?;
        case.check(!plan.request.is_empty(), "a plan shows its request")?;
        case.check(plan.page_size > 0, "a plan tells the size of its pages")?;
        let steps = || plan.on_server.iter().chain(&plan.on_client);
        for name in [&self.story.text, &self.story.typed] {
            let told = steps().any(|step| step.what.contains(name.as_str())) || plan.request.contains(name.as_str());
            case.check(
                told,
                "a plan says of every condition whether the server or the client holds it",
            )?;
        }
        Ok(())
    }

    pub(super) async fn conditions_hold_as_said(&self) -> Result<(), Violation> {
        let case = Case("conditions_hold_as_said");
        let all = self.walk(case, &self.listing()).await?;
        let text_of = |record: &Record| record.value(self.story.text.as_str())?.as_str().map(str::to_owned);
        let Some(sample) = all.get(all.len() / 2).and_then(text_of) else {
            return Err(Violation::new(case.0, "the listing has records with text"));
        };
        let text = || field(self.story.text.clone());
        let head: String = sample.chars().take(2).collect();
        let tail: String = sample.chars().skip(1).collect();
        let conditions = [
            text().equals(sample.as_str()),
            text().not_equals(sample.as_str()),
            text().is_in([sample.as_str(), NOWHERE]),
            text().starts_with(head),
            text().contains(tail),
            text().equals(sample.as_str()).negated(),
            text().equals(NOWHERE).or(text().equals(sample.as_str())),
            text().is_null().negated().and(text().equals(sample.as_str())),
            // Nothing of this may reach the query's own syntax.
            text().equals("O'Neil & Söhne + 100% / \"x\" \\ #?"),
        ];
        for condition in conditions {
            let found = keys(&self.walk(case, &self.listing().filter(condition.clone())).await?);
            let exactly = keys(all.iter().filter(|record| condition.matches(record) == Some(true)));
            // Some providers compare text without case.
            let loosely = keys(all.iter().filter(|record| loosely(&condition, record)));
            case.check(
                exactly.is_subset(&found) || negative(&condition),
                "a condition finds every record that meets it",
            )?;
            case.check(
                found.is_subset(&loosely) || found.is_subset(&exactly),
                "a condition finds no record that does not meet it",
            )?;
        }
        Ok(())
    }

    pub(super) async fn pages_resume_from_a_stored_token(&self) -> Result<(), Violation> {
        let case = Case("pages_resume_from_a_stored_token");
        let all = self.walk(case, &self.listing()).await?;
        let before = keys(&all);
        case.check(before.len() == all.len(), "no record comes twice")?;
        let small = self.listing().page_size(2);
        let mut seen: Vec<RecordKey> = Vec::new();
        let mut token: Option<PageToken> = None;
        let mut inserted = None;
        for page in 0..MAX_PAGES {
            let answer = case.ok(self.erp.read(&small, token.as_ref()).await, "read")?;
            case.check(answer.items.len() <= 2, "a page is not larger than asked for")?;
            seen.extend(answer.items.iter().map(|record| record.key().clone()));
            if page == 0 {
                inserted = case.ok(self.world.insert().await, "insert")?;
            }
            let Some(next) = answer.next else { break };
            case.check(token.as_ref() != Some(&next), "the next page is another one")?;
            token = Some(stored(case, &next)?);
        }
        let found: BTreeSet<RecordKey> = seen.iter().cloned().collect();
        case.check(found.len() == seen.len(), "no record comes twice while others insert")?;
        case.check(before.is_subset(&found), "no record is skipped while others insert")?;
        let surplus = found.difference(&before).all(|key| Some(key) == inserted.as_ref());
        case.check(surplus, "nothing comes that is not there")?;
        let limited = self.walk(case, &self.listing().page_size(2).limit(3)).await?;
        case.check(limited.len() == 3, "a limit holds over all pages")?;
        if self.can.count {
            let first = case.ok(self.erp.read(&self.listing().counted(), None).await, "read, counted")?;
            let there = self.walk(case, &self.listing()).await?.len();
            case.check(
                first.estimate == u64::try_from(there).ok(),
                "the count is that of all matching records",
            )?;
        }
        Ok(())
    }

    pub(super) async fn a_record_is_read_and_a_gone_one_not_found(&self) -> Result<(), Violation> {
        let case = Case("a_record_is_read_and_a_gone_one_not_found");
        let all = self.walk(case, &self.listing()).await?;
        let Some(listed) = all.first() else {
            return Err(Violation::new(case.0, "the listing has records"));
        };
        let shape = Shape::of([self.story.text.clone()]);
        let at = self.at(&self.story.listing, listed.key());
        let record = case.ok(self.erp.get(&at, &shape).await, "get")?;
        case.check(record.key() == listed.key(), "the record has the key asked for")?;
        let text = self.story.text.as_str();
        case.check(
            record.value(text) == listed.value(text),
            "the record holds what the listing shows",
        )?;
        case.check(
            !self.can.etags || record.etag().is_some(),
            "where records carry ETags, a record has one",
        )?;
        let Some(key) = case.ok(self.world.insert().await, "insert")? else {
            return Ok(());
        };
        let at = self.at(&self.story.listing, &key);
        if case.ok(self.world.delete(&at).await, "delete")? {
            case.refused(self.erp.get(&at, &shape).await, "not_found", "get, of a deleted record")?;
        }
        Ok(())
    }

    /// All records of the listing with its text and typed field.
    pub(super) fn listing(&self) -> Query {
        let mut query =
            Query::of(self.story.listing.clone()).select([self.story.text.clone(), self.story.typed.clone()]);
        query.company.clone_from(&self.story.company);
        query
    }

    /// Every record of a query, page by page, with tokens that went through a store.
    pub(super) async fn walk(&self, case: Case, query: &Query) -> Result<Vec<Record>, Violation> {
        let mut found = Vec::new();
        let mut token: Option<PageToken> = None;
        for _ in 0..MAX_PAGES {
            let page = case.ok(self.erp.read(query, token.as_ref()).await, "read")?;
            found.extend(page.items);
            match page.next {
                Some(next) => token = Some(stored(case, &next)?),
                None => return Ok(found),
            }
        }
        Err(Violation::new(case.0, "a listing comes to its end"))
    }
}

/// What comes back from a store.
pub(super) fn stored<T: serde::Serialize + serde::de::DeserializeOwned>(case: Case, kept: &T) -> Result<T, Violation> {
    let json = serde_json::to_string(kept).map_err(|error| Violation::new(case.0, error))?;
    serde_json::from_str(&json).map_err(|error| Violation::new(case.0, error))
}

pub(super) fn keys<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeSet<RecordKey> {
    records.into_iter().map(|record| record.key().clone()).collect()
}

fn verb_of(word: &str) -> Option<Verb> {
    [Verb::Create, Verb::Update, Verb::Delete]
        .into_iter()
        .find(|verb| verb.as_str() == word)
}

/// Whether a condition is about what something is not: without case, it finds fewer and not more.
fn negative(condition: &Filter) -> bool {
    matches!(
        condition,
        Filter::Not(_)
            | Filter::Compare {
                op: crate::erp::Comparison::NotEqual,
                ..
            }
    )
}

/// Whether a record meets a condition if text is compared without case.
fn loosely(condition: &Filter, record: &Record) -> bool {
    let held = |name: &str| {
        record
            .value_at(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_lowercase()
    };
    let same = |name: &str, value: &Value| value.as_str().is_some_and(|text| text.to_lowercase() == held(name));
    match condition {
        Filter::And(parts) => parts.iter().all(|part| loosely(part, record)),
        Filter::Or(parts) => parts.iter().any(|part| loosely(part, record)),
        Filter::Compare {
            field,
            op: crate::erp::Comparison::Equal,
            value,
        } => same(field.as_str(), value),
        Filter::In { field, values } => values.iter().any(|value| same(field.as_str(), value)),
        Filter::Contains { field, text } => held(field.as_str()).contains(&text.to_lowercase()),
        Filter::StartsWith { field, text } => held(field.as_str()).starts_with(&text.to_lowercase()),
        other => other.matches(record) == Some(true),
    }
}
