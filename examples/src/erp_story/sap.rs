//! The stage of SAP: V4 services of an S/4HANA.

use atlas_connectors::credential::{Basic, Credential};
use atlas_connectors::erp::RecordKey;
use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::mock;
use atlas_connectors_erp::mock::sap::{PASSWORD, READER, Table, WRITER};

use crate::erp::{Place, Reach, SapPlace, SapWay, System};
use crate::erp_story::{Stage, Stagehand, Story};

const SERVICES: [&str; 4] = [
    "api_salesorder/srvd_a2x/salesorder/0001",
    "api_purchaseorder_2/srvd_a2x/purchaseorder/0001",
    "api_business_partner/srvd_a2x/businesspartner/0001",
    "api_product/srvd_a2x/product/0002",
];

pub(super) async fn stage() -> Story<Stage> {
    let sap = mock::Sap::start().await?;
    let account = |user: &str| {
        let system = System::Sap(SapPlace {
            address: sap.uri().to_owned(),
            client: Some("100".to_owned()),
            language: None,
            services: SERVICES.map(str::to_owned).to_vec(),
            way: SapWay::Basic { user: user.to_owned() },
        });
        let place = Place {
            system,
            reach: Reach::Loopback,
        };
        let basic = Basic {
            user: user.into(),
            password: PASSWORD.to_owned().into(),
        };
        (place, Credential::from(basic))
    };
    let (place, credential) = account(WRITER);
    let text = |field: &str, value: &str| (field.into(), value.into());
    Ok(Stage {
        title: "SAP (OData V4)",
        place,
        credential,
        company: None,
        reader: account(READER),
        customer: "Precision Parts GmbH",
        vendor: "Stahlhandel Nord",
        item: "RM120",
        also: vec![
            text("CompanyCode", "1710"),
            text("PurchasingOrganization", "1710"),
            text("PurchasingGroup", "001"),
        ],
        service: None,
        hand: Box::new(Hand(sap)),
    })
}

#[derive(Debug)]
struct Hand(mock::Sap);

impl Stagehand for Hand {
    fn lose_next_answer(&self) {
        self.0.faults().next("create", Fault::CutAfter);
    }

    fn colleague_moves(&self, order: &RecordKey, day: &str) {
        if let Some(number) = order.as_single() {
            self.0.edit(Table::SalesOrder, number, "RequestedDeliveryDate", day);
        }
    }

    fn purchase_orders(&self) -> u64 {
        // The mock counts creates of all sets together; the story creates nothing else here.
        self.0.counters().creates
    }

    fn effects(&self) -> u64 {
        self.0.counters().effects()
    }
}
