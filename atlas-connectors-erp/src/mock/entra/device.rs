//! Device codes.

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::{Answer, Request, random};
use serde_json::json;

use super::account::Person;
use super::authorize::check_scopes;
use super::refusal::Refusal;
use super::token::Form;
use super::world::World;

/// A device code that was given out.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) user_code: String,
    pub(super) client: String,
    pub(super) scopes: Vec<String>,
    pub(super) authority: String,
    pub(super) expires: Timestamp,
    pub(super) decision: Decision,
}

/// What the person has done.
#[derive(Clone, Debug)]
pub(super) enum Decision {
    Pending,
    Approved(Person),
    Declined,
}

impl World {
    pub(super) fn device_code(&mut self, tenant: &str, request: &Request) -> Result<Answer, Refusal> {
        self.knows(tenant)?;
        let form = Form::of(request);
        // A client is named here and proves itself at the token endpoint only.
        let client = form.get("client_id").filter(|id| self.clients.contains_key(*id));
        let client = client.ok_or(Refusal::of(700_016))?;
        let scopes = form.scopes();
        check_scopes(&scopes)?;
        let code = format!("mock-device-{}", random(80));
        let user_code = random(40)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(9)
            .collect::<String>();
        let user_code = user_code.to_uppercase();
        let life = self.settings.device_lifetime;
        let device = Device {
            user_code: user_code.clone(),
            client: client.to_owned(),
            scopes,
            authority: tenant.to_owned(),
            expires: self.clock.now().after(life),
            decision: Decision::Pending,
        };
        self.devices.insert(code.clone(), device);
        let page = format!("{}/common/oauth2/deviceauth", self.base);
        let body = json!({
            "user_code": user_code,
            "device_code": code,
            "verification_uri": page,
            "expires_in": life.as_secs(),
            "interval": 5,
            "message": format!("To sign in, open the page {page} and enter the code {user_code} to authenticate."),
        });
        Ok(Answer::json(200, &body))
    }

    pub(super) fn device_token(&mut self, form: &Form, client: &str) -> Result<Answer, Refusal> {
        let text = form.get("device_code").ok_or(Refusal::of(900_144))?;
        let device = self.devices.get(text).filter(|device| device.client == client);
        let device = device.cloned().ok_or(Refusal::of(70_018))?;
        if device.expires <= self.clock.now() {
            return Err(Refusal::of(70_019));
        }
        match device.decision {
            Decision::Declined => Err(Refusal::of(70_017)),
            Decision::Pending => {
                self.counters.pending_polls += 1;
                Err(Refusal::of(70_016))
            }
            Decision::Approved(person) => {
                self.devices.remove(text);
                self.counters.device_grants += 1;
                Ok(self.grant(client, &person, &device.scopes, None, None))
            }
        }
    }

    /// The person decides. `None` if no code of this text waits, or the account is not one of its authority.
    pub(super) fn decide(&mut self, user_code: &str, person: Option<&str>) -> Option<()> {
        let now = self.clock.now();
        let waits = |device: &Device| device.user_code.eq_ignore_ascii_case(user_code) && device.expires > now;
        let (code, authority, client) = self
            .devices
            .iter()
            .find(|(_, device)| waits(device))
            .map(|(code, device)| (code.clone(), device.authority.clone(), device.client.clone()))?;
        let decision = match person {
            None => Decision::Declined,
            Some(name) => {
                let person = self.person(&authority, Some(name))?.clone();
                self.consented.insert((person.oid.clone(), client));
                Decision::Approved(person)
            }
        };
        self.devices.get_mut(&code)?.decision = decision;
        Some(())
    }
}
