//! Business Central: a person's sign-in in the browser and by a code, and the app's own, through the mock of Entra.

use atlas_connectors_erp::mock::business_central::{BusinessCentral, COMPANY, Rights, TENANT};
use atlas_connectors_erp::mock::entra::{CLIENT_ID, CLIENT_SECRET, Entra, PUBLIC_CLIENT_ID, USER};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use url::Url;

use super::atlas::Atlas;

struct World {
    entra: Entra,
    service: BusinessCentral,
}

impl World {
    async fn new() -> Self {
        let entra = Entra::start().await;
        let tokens = entra.clone();
        let service = BusinessCentral::builder()
            .identify(move |token| tokens.who(token))
            .start()
            .await;
        service.add_user(CLIENT_ID, CLIENT_ID, TENANT, Rights::full());
        service.add_user(USER, USER, TENANT, Rights::full());
        Self { entra, service }
    }

    /// What is typed to connect, up to the way of signing in.
    fn connect(&self, way: &str) -> Vec<String> {
        let typed = [
            "erp",
            "connect",
            "bc",
            "--api-url",
            self.service.uri(),
            "--login-url",
            self.entra.uri(),
            "--sign-in",
            way,
        ];
        typed.map(str::to_owned).to_vec()
    }
}

fn texts(typed: &[String]) -> Vec<&str> {
    typed.iter().map(String::as_str).collect()
}

/// The first line on standard error that says this.
async fn said<T>(child: &mut Child, find: impl Fn(&str) -> Option<T>) -> T {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(found) = find(line.trim()) {
            return found;
        }
    }
}

async fn ended(child: Child) -> (i32, Value) {
    let output = child.wait_with_output().await.unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), document)
}

/// The browser is sent back to the program.
async fn visit(url: &Url) {
    assert_eq!(url.host_str(), Some("localhost"));
    let address = ("127.0.0.1", url.port().unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {}?{} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        url.path(),
        url.query().unwrap_or_default(),
        address.1
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

/// Chooses the company, reads, and writes an order that is approved.
async fn work(atlas: &Atlas, service: &BusinessCentral) {
    let paused = atlas.ends(3, &["erp", "read", "customers"]).await;
    assert_eq!(paused["error"]["paused"], "select_company", "{paused:#}");
    atlas.done(&["erp", "companies", "--select", COMPANY]).await;
    let found = atlas
        .done(&[
            "erp",
            "read",
            "customers",
            "--filter",
            "displayName starts with 'Adatum'",
            "--select",
            "number,displayName",
        ])
        .await;
    assert!(found["count"].as_u64().unwrap() >= 1, "{found:#}");
    let intent = atlas
        .held(&[
            "erp",
            "write",
            "create",
            "purchaseOrders",
            "vendorNumber=V100001",
            "--line",
            "purchaseOrderLines:lineType=Item,lineObjectNumber=1896-S,quantity=4",
        ])
        .await;
    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!((code, &ended["state"]), (0, &"sent".into()), "{ended:#}");
    assert_eq!(service.counters().created_in("purchaseOrders"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_in_the_browser() {
    let world = World::new().await;
    let atlas = Atlas::with_client(PUBLIC_CLIENT_ID, None);
    let mut typed = world.connect("browser");
    typed.extend(["--no-browser", "--timeout", "30"].map(str::to_owned));
    let mut child = atlas.begin(&texts(&typed));
    let page = said(&mut child, |line| {
        Url::parse(line).ok().filter(|url| url.scheme() == "http")
    })
    .await;
    visit(&world.entra.consent(&page).unwrap()).await;
    let (code, document) = ended(child).await;
    assert_eq!(
        (code, &document["connection"]["address"]),
        (3, &USER.into()),
        "{document:#}"
    );
    work(&atlas, &world.service).await;
    // Another command is another process: the grant is read from the store.
    assert_eq!(
        atlas.done(&["erp", "list"]).await["connections"][0]["status"],
        "connected"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_types_a_code_on_another_device() {
    let world = World::new().await;
    let atlas = Atlas::with_client(PUBLIC_CLIENT_ID, None);
    let mut child = atlas.begin(&texts(&world.connect("device")));
    let code = said(&mut child, |line| {
        let (_, code) = line.split_once("enter the code ")?;
        Some(code.trim_end_matches(':').to_owned())
    })
    .await;
    assert!(world.entra.approve_device(&code, USER), "{code}");
    let (code, document) = ended(child).await;
    assert_eq!(
        (code, &document["connection"]["address"]),
        (3, &USER.into()),
        "{document:#}"
    );
    work(&atlas, &world.service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_signs_in_as_itself_once_an_administrator_has_agreed() {
    let world = World::new().await;
    let atlas = Atlas::with_client(CLIENT_ID, Some(CLIENT_SECRET));
    let mut typed = world.connect("app");
    let unnamed = atlas.ends(2, &texts(&typed)).await;
    assert!(
        unnamed["error"]["message"].as_str().unwrap().contains("--tenant"),
        "{unnamed:#}"
    );
    typed.extend(["--tenant", TENANT].map(str::to_owned));
    let refused = atlas.run(&texts(&typed)).await;
    assert_eq!((refused.0, &refused.1["exit"]), (3, &3.into()), "{:#}", refused.1);

    let page = format!(
        "{}/{TENANT}/v2.0/adminconsent?client_id={CLIENT_ID}&redirect_uri=http://localhost:8765/callback&scope=x/.default",
        world.entra.uri()
    );
    world.entra.admin_consent(&page.parse().unwrap()).unwrap();
    let connected = atlas.ends(3, &texts(&typed)).await;
    assert_eq!(connected["connection"]["pause"], "select_company", "{connected:#}");
    work(&atlas, &world.service).await;
    assert!(!atlas.keeps(CLIENT_SECRET), "the secret lies in the open");
}
