//! What has to be known to reach an ERP, as it is kept beside the connection. No secret is among it.

use atlas_connectors::{Error, ErrorKind, ProviderId, Result};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::erp::Reach;

/// Where a system is and how it is signed in to. Kept as JSON in the settings of its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The system.
    #[serde(flatten)]
    pub system: System,
    /// Which networks its address may lead to.
    #[serde(default)]
    pub reach: Reach,
}

/// One of the three systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "snake_case")]
pub enum System {
    /// Odoo.
    Odoo(OdooPlace),
    /// SAP OData.
    Sap(SapPlace),
    /// Dynamics 365 Business Central.
    BusinessCentral(BusinessCentralPlace),
}

/// One database of an Odoo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OdooPlace {
    /// Address of the server.
    pub url: String,
    /// The database; never guessed.
    pub database: String,
    /// The user that key or password belong to.
    pub login: String,
    /// Language of labels and translated values, such as `en_US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// The services of one SAP system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SapPlace {
    /// Address of the system: scheme and host.
    pub address: String,
    /// `sap-client`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Language of messages and labels, two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// V2 names, V4 groups, or addresses of services.
    pub services: Vec<String>,
    /// Who signs in.
    #[serde(flatten)]
    pub way: SapWay,
}

/// How an SAP system is signed in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum SapWay {
    /// A communication user with its password.
    Basic {
        /// The user.
        user: String,
    },
    /// An OAuth client with its own secret.
    App {
        /// The token endpoint.
        token_url: Url,
        /// The client.
        client_id: String,
    },
}

/// One environment of a Business Central, in the cloud or on a server of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessCentralPlace {
    /// The API: `v2.0`, or `publisher/group/version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Where it runs and who signs in.
    #[serde(flatten)]
    pub way: SignInWay,
}

/// How Business Central is signed in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum SignInWay {
    /// A person, through Entra: in the browser or by a code.
    Person(Entra),
    /// The app itself, with its own secret.
    App(Entra),
    /// A server of one's own, with a user and a web service access key.
    AccessKey {
        /// `https://host:7048/instance`.
        address: String,
        /// Tenant of a server with several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<String>,
        /// The user.
        user: String,
    },
}

/// An environment in the cloud and the authority that opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entra {
    /// Id of the organization; `None` takes that of whoever signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Name of the environment.
    pub environment: String,
    /// The app's id at Entra.
    pub client_id: String,
    /// Another cloud's or an emulator's API in place of Microsoft's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Url>,
    /// Another cloud's or an emulator's sign-in in place of Microsoft's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Url>,
}

impl Place {
    /// The provider's name.
    pub fn provider(&self) -> ProviderId {
        match &self.system {
            System::Odoo(_) => atlas_connectors_erp::odoo::PROVIDER.into(),
            System::Sap(_) => atlas_connectors_erp::sap::PROVIDER.into(),
            System::BusinessCentral(_) => atlas_connectors_erp::business_central::PROVIDER.into(),
        }
    }

    /// As it is kept.
    pub fn to_json(&self) -> String {
        // Plain data: writing it does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it was kept.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it was written by another program.
    pub fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|_| {
            let why = "they were not written by this program; connect again";
            let what = "connection settings";
            Error::new(ErrorKind::Invalid { what, why }, "erp.open")
        })
    }

    /// One line for people: where it is, without the account.
    pub fn line(&self) -> String {
        match &self.system {
            System::Odoo(odoo) => format!("Odoo {}, {}", odoo.database, host_of(&odoo.url)),
            System::Sap(sap) => format!("SAP {}, {} services", host_of(&sap.address), sap.services.len()),
            System::BusinessCentral(bc) => match &bc.way {
                SignInWay::Person(entra) | SignInWay::App(entra) => {
                    format!("Business Central, environment {}", entra.environment)
                }
                SignInWay::AccessKey { address, .. } => format!("Business Central {}", host_of(address)),
            },
        }
    }
}

fn host_of(address: &str) -> String {
    let url = Url::parse(address).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.map_or_else(|| address.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_as_json_and_hold_no_secret() {
        let entra = Entra {
            tenant: None,
            environment: "Sandbox".into(),
            client_id: "app".into(),
            api: Some("http://127.0.0.1:4/".parse().unwrap()),
            login: None,
        };
        let odoo = OdooPlace {
            url: "https://erp.example".into(),
            database: "acme".into(),
            login: "bot".into(),
            language: None,
        };
        for (system, word) in [
            (System::Odoo(odoo), "odoo"),
            (
                System::BusinessCentral(BusinessCentralPlace {
                    route: None,
                    way: SignInWay::App(entra),
                }),
                "business_central",
            ),
        ] {
            let place = Place {
                system,
                reach: Reach::Loopback,
            };
            let json = place.to_json();
            assert!(json.contains(&format!(r#""system":"{word}""#)), "{json}");
            assert_eq!(Place::parse(&json).unwrap(), place);
            assert_eq!(place.provider().as_str(), word);
        }
        assert_eq!(Place::parse("{}").unwrap_err().code(), "invalid");
    }
}
