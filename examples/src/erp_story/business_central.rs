//! The stage of Business Central, behind an Entra that knows two apps: one that may write and one that may read.

use atlas_connectors::credential::{ClientCredentials, Credential};
use atlas_connectors::erp::RecordKey;
use atlas_connectors::oauth::OAuthProvider as _;
use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::business_central::entra::{EntraOAuth, EntraTenant};
use atlas_connectors_erp::mock::business_central::{BusinessCentral, COMPANY, Rights, TENANT};
use atlas_connectors_erp::mock::entra::{CLIENT_ID, CLIENT_SECRET, Client, Entra};

use crate::erp::{BusinessCentralPlace, Entra as Authority, Place, Reach, SignInWay, System};
use crate::erp_story::{Stage, Stagehand, Story};

/// The app that may only read.
const READER_ID: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
/// Where the administrator's browser is sent back to.
const REDIRECT: &str = "http://localhost:8765/callback";

pub(super) async fn stage() -> Story<Stage> {
    let entra = Entra::builder()
        .client(Client::confidential(READER_ID, CLIENT_SECRET).with_redirect(REDIRECT))
        .start()
        .await;
    // An app works in an organization once an administrator of it has agreed.
    let dialect = EntraOAuth::builder(EntraTenant::id(TENANT)?)
        .login(entra.url())
        .build()?;
    for client in [CLIENT_ID, READER_ID] {
        let mut page = dialect
            .endpoints()
            .admin_consent
            .clone()
            .ok_or("no page for administrators")?;
        page.query_pairs_mut()
            .append_pair("client_id", client)
            .append_pair("redirect_uri", REDIRECT)
            .append_pair("scope", &dialect.client_credentials_scopes()?.to_list());
        entra.admin_consent(&page).map_err(|blocked| format!("{blocked:?}"))?;
    }
    let tokens = entra.clone();
    let service = BusinessCentral::builder()
        .identify(move |token| tokens.who(token))
        .start()
        .await;
    service.add_user(CLIENT_ID, CLIENT_ID, TENANT, Rights::full());
    service.add_user(READER_ID, READER_ID, TENANT, Rights::reader());
    let account = |client_id: &str| {
        let way = SignInWay::App(Authority {
            tenant: Some(TENANT.to_owned()),
            environment: "Production".to_owned(),
            client_id: client_id.to_owned(),
            api: Some(service.url()),
            login: Some(entra.url()),
        });
        let place = Place {
            system: System::BusinessCentral(BusinessCentralPlace { route: None, way }),
            reach: Reach::Loopback,
        };
        let secret = ClientCredentials {
            client_id: client_id.into(),
            client_secret: CLIENT_SECRET.to_owned().into(),
        };
        (place, Credential::from(secret))
    };
    let (place, credential) = account(CLIENT_ID);
    Ok(Stage {
        title: "Business Central",
        place,
        credential,
        company: Some(COMPANY.into()),
        reader: account(READER_ID),
        customer: "Adatum Corporation 1",
        vendor: "Trey Research 2 Supplies",
        item: "1896-S",
        also: Vec::new(),
        service: None,
        hand: Box::new(Hand { service, _entra: entra }),
    })
}

#[derive(Debug)]
struct Hand {
    service: BusinessCentral,
    _entra: Entra,
}

impl Stagehand for Hand {
    fn lose_next_answer(&self) {
        self.service.faults().next("purchaseOrders.create", Fault::CutAfter);
    }

    fn colleague_moves(&self, order: &RecordKey, day: &str) {
        let change = serde_json::json!({ "requestedDeliveryDate": day }).to_string();
        if let Some(id) = order.as_single() {
            self.service.edit(COMPANY, "salesOrders", id, &change);
        }
    }

    fn purchase_orders(&self) -> u64 {
        self.service.counters().created_in("purchaseOrders")
    }

    fn effects(&self) -> u64 {
        self.service.counters().effects()
    }
}
