//! `atlas erp connect`: address and credential are tried, and kept if they work.

use std::path::Path;

use atlas_connectors::credential::{ApiKey, Basic, ClientCredentials, Credential};
use atlas_connectors::oauth::{Loopback, SignInRequest, SignedIn, Workflow, open_browser};
use atlas_connectors::{CompanyId, SessionId, SystemClock};
use atlas_connectors_examples::erp::{
    BusinessCentralPlace, Connected, Entra, NewErp, OdooPlace, Place, Reach, SapPlace, SapWay, SignInWay, System,
};
use atlas_connectors_examples::ui::Tone;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use crate::erp::args::{BusinessCentral, Common, Connect, OdooSecret, SignIn};
use crate::erp::connections;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render;
use crate::session::Session;

pub(super) async fn run(session: &Session, system: &Connect) -> Result<Exit, Failure> {
    match system {
        Connect::Odoo {
            url,
            database,
            login,
            auth,
            language,
            common,
        } => {
            let secret = secret(common)?;
            let credential = match auth {
                OdooSecret::Key => ApiKey {
                    user: Some(login.as_str().into()),
                    key: secret,
                }
                .into(),
                OdooSecret::Password => basic(login, secret),
            };
            let system = System::Odoo(OdooPlace {
                url: url.clone(),
                database: database.clone(),
                login: login.clone(),
                language: language.clone(),
            });
            enrol(session, place(system, url, common), credential, common).await
        }
        Connect::Sap {
            address,
            services,
            client,
            language,
            user,
            token_url,
            common,
        } => {
            let (way, credential) = sap_way(session, user.as_deref(), token_url.as_ref(), common)?;
            let system = System::Sap(SapPlace {
                address: address.clone(),
                client: client.clone(),
                language: language.clone(),
                services: services.clone(),
                way,
            });
            enrol(session, place(system, address, common), credential, common).await
        }
        Connect::BusinessCentral(asked) => business_central(session, asked).await,
    }
}

fn sap_way(
    session: &Session,
    user: Option<&str>,
    token_url: Option<&Url>,
    common: &Common,
) -> Result<(SapWay, Credential), Failure> {
    match (user, token_url) {
        (Some(user), _) => {
            let way = SapWay::Basic { user: user.to_owned() };
            Ok((way, basic(user, secret(common)?)))
        }
        (None, Some(token_url)) => {
            let client_id = client_id(session)?;
            let way = SapWay::App {
                token_url: token_url.clone(),
                client_id: client_id.to_owned(),
            };
            Ok((way, app(client_id, secret(common)?)))
        }
        (None, None) => Err(Failure::Usage("name the user with --user, or --token-url".to_owned())),
    }
}

async fn business_central(session: &Session, asked: &BusinessCentral) -> Result<Exit, Failure> {
    let common = &asked.common;
    let system = |way| {
        System::BusinessCentral(BusinessCentralPlace {
            route: asked.route.clone(),
            way,
        })
    };
    if let (SignIn::AccessKey, Some(address), Some(user)) = (asked.sign_in, &asked.address, &asked.user) {
        let way = SignInWay::AccessKey {
            address: address.clone(),
            tenant: asked.tenant.clone(),
            user: user.clone(),
        };
        let credential = basic(user, secret(common)?);
        return enrol(session, place(system(way), address, common), credential, common).await;
    }
    let client_id = client_id(session)?;
    let entra = Entra {
        tenant: asked.tenant.clone(),
        environment: asked.environment.clone(),
        client_id: client_id.to_owned(),
        api: asked.api_url.clone(),
        login: asked.login_url.clone(),
    };
    let api = asked.api_url.as_ref().map(ToString::to_string).unwrap_or_default();
    match asked.sign_in {
        SignIn::App => {
            if asked.tenant.is_none() {
                return Err(Failure::Usage(
                    "an app that signs in as itself needs the organization; give its id with --tenant".to_owned(),
                ));
            }
            let credential = app(client_id, secret(common)?);
            let place = place(system(SignInWay::App(entra)), &api, common);
            enrol(session, place, credential, common).await
        }
        way => {
            let place = place(system(SignInWay::Person(entra)), &api, common);
            let signed_in = sign_in(session, asked, &place, way).await?;
            let company = common.company.as_deref().map(CompanyId::new);
            let erps = session.host.erps();
            let connected = erps.signed_in(signed_in.connection.clone(), &place, company).await?;
            tell(session, &connected, signed_in.reconnected).await
        }
    }
}

async fn sign_in(session: &Session, asked: &BusinessCentral, place: &Place, way: SignIn) -> Result<SignedIn, Failure> {
    let sign_in = session.host.erps().sign_in(place)?.with_time_limit(asked.timeout);
    let workflows = [Workflow::ReadRecords, Workflow::WriteRecords];
    let reconnect = reconnect(session, &asked.common).await?;
    if way == SignIn::Device {
        let tenant = session.host.tenant().clone();
        let device = sign_in.begin_device(tenant, &workflows, reconnect.as_ref()).await?;
        prompt(&format!(
            "Open this address on any device and enter the code {}:\n\n  {}\n\n",
            device.user_code, device.verification_url
        ))?;
        return Ok(sign_in.complete_device(device).await?);
    }
    let browser = SessionId::new("command-line");
    // Entra lets a desktop program come back to any port of the name, not of the number.
    let loopback = Loopback::bind_to(asked.port, "/callback").await?.named_localhost();
    let mut request = SignInRequest::connect(
        session.host.tenant().clone(),
        session.actor.clone(),
        browser.clone(),
        loopback.redirect().clone(),
        workflows,
    );
    if let Some(connection) = reconnect {
        request = request.reconnecting(connection);
    }
    let begun = sign_in.begin(request).await?;
    let opened = !asked.no_browser && open_browser(&begun.url).is_ok();
    let ask = match opened {
        true => "Sign in in the browser window that has opened. If none has, open this address:",
        false => "Open this address in a browser on this machine and sign in:",
    };
    prompt(&format!("{ask}\n\n  {}\n\n", begun.url))?;
    let callback = loopback.wait(&begun, &SystemClock).await?;
    Ok(sign_in.complete(callback, &session.actor, &browser).await?)
}

async fn enrol(session: &Session, place: Place, credential: Credential, common: &Common) -> Result<Exit, Failure> {
    let renewing = reconnect(session, common).await?;
    let reconnected = renewing.is_some();
    let new = NewErp {
        tenant: session.host.tenant().clone(),
        place,
        credential,
        renewing,
        company: common.company.as_deref().map(CompanyId::new),
    };
    let connected = session.host.erps().connect(new).await?;
    tell(session, &connected, reconnected).await
}

async fn reconnect(session: &Session, common: &Common) -> Result<Option<atlas_connectors::ConnectionId>, Failure> {
    Ok(match &common.reconnect {
        Some(named) => Some(session.resolve_erp(Some(named)).await?.reference.connection),
        None => None,
    })
}

async fn tell(session: &Session, connected: &Connected, reconnected: bool) -> Result<Exit, Failure> {
    let connection = &connected.connection;
    let summary = session
        .host
        .connections()
        .summary(&connection.tenant, &connection.connection)
        .await?;
    let place = session.host.erps().place(connection).await?.line();
    if session.is_json() {
        session.print_json(&json!({
            "connection": connections::document(&summary, &place),
            "reconnected": reconnected,
            "companies": connected.companies,
        }));
        return Ok(connections::exit_of(&summary));
    }
    let word = if reconnected { "Reconnected" } else { "Connected" };
    session
        .ui
        .paragraph(&format!("{word}: {} · {place}", render::account(&summary)), Tone::Good);
    match &connected.company {
        Some(company) => session.ui.fact("company", company),
        None if connected.companies.len() > 1 => connections::tell(session, &summary, &connected.companies),
        None => {}
    }
    if connections::exit_of(&summary) == Exit::Done {
        session.ui.fact("next", "atlas erp test, atlas erp catalog");
    }
    Ok(connections::exit_of(&summary))
}

fn place(system: System, address: &str, common: &Common) -> Place {
    Place {
        system,
        reach: Reach::of(address, common.network.as_deref()),
    }
}

fn client_id(session: &Session) -> Result<&str, Failure> {
    session.client_id().ok_or_else(|| {
        Failure::Usage("no app is named; give its id at the provider with --client-id (or ATLAS_CLIENT_ID)".to_owned())
    })
}

fn app(client_id: &str, secret: SecretString) -> Credential {
    ClientCredentials {
        client_id: client_id.into(),
        client_secret: secret,
    }
    .into()
}

fn basic(user: &str, password: SecretString) -> Credential {
    Basic {
        user: user.into(),
        password,
    }
    .into()
}

/// The secret: from the file that is named, or from the environment. Never from an option.
#[allow(clippy::disallowed_methods, reason = "the program reads its own environment")]
fn secret(common: &Common) -> Result<SecretString, Failure> {
    let held = match &common.secret_file {
        Some(path) => read_secret(path)?,
        None => std::env::var("ATLAS_ERP_SECRET").map(SecretString::from).map_err(|_| {
            Failure::Usage(
                "no secret is given; put it into ATLAS_ERP_SECRET, or name a file with --secret-file".to_owned(),
            )
        })?,
    };
    Ok(held)
}

fn read_secret(path: &Path) -> Result<SecretString, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::file(format!("cannot read {}", path.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
}

/// On standard error, so that the output of --json stays one document.
fn prompt(text: &str) -> Result<(), Failure> {
    std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes())
        .map_err(Failure::file("cannot write to standard error"))
}
