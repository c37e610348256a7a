//! The stage of Odoo.

use atlas_connectors::credential::{ApiKey, Credential};
use atlas_connectors::erp::RecordKey;
use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::mock;
use atlas_connectors_erp::mock::odoo::DATABASE;
use atlas_connectors_erp::odoo::wire::Json;

use crate::erp::{OdooPlace, Place, Reach, System};
use crate::erp_story::{Stage, Stagehand, Story};

pub(super) async fn stage() -> Story<Stage> {
    let odoo = mock::Odoo::builder().start().await?;
    let account = |login: &str, key: &str| {
        let system = System::Odoo(OdooPlace {
            url: odoo.url().to_string(),
            database: DATABASE.to_owned(),
            login: login.to_owned(),
            language: None,
        });
        let place = Place {
            system,
            reach: Reach::Loopback,
        };
        let key = ApiKey {
            user: Some(login.into()),
            key: key.to_owned().into(),
        };
        (place, Credential::from(key))
    };
    let (place, credential) = account("admin", "admin-key");
    Ok(Stage {
        title: "Odoo 19",
        place,
        credential,
        company: Some("1".into()),
        reader: account("atlas.limited", "limited-key"),
        customer: "Acme Corporation",
        vendor: "Wood Corner",
        item: "FURN_7777",
        also: Vec::new(),
        service: Some("purchase"),
        hand: Box::new(Hand(odoo)),
    })
}

#[derive(Debug)]
struct Hand(mock::Odoo);

impl Stagehand for Hand {
    fn lose_next_answer(&self) {
        self.0.faults().next("purchase.order.load", Fault::CutAfter);
    }

    fn colleague_moves(&self, order: &RecordKey, day: &str) {
        if let Some(id) = order.as_single().and_then(|id| id.parse().ok()) {
            let moment = Json::text(format!("{day} 08:00:00"));
            self.0.change("sale.order", id, "commitment_date", moment);
        }
    }

    fn purchase_orders(&self) -> u64 {
        self.0.created("purchase.order")
    }

    fn effects(&self) -> u64 {
        self.0.effects()
    }
}
