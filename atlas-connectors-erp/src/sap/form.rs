//! What a host asks for to connect an SAP system.

use atlas_connectors::erp::{ConnectorForm, FormFault, FormField, FormKind};

use crate::sap::{ServiceAddress, SystemAddress};

/// The form: fields, help, which are secret. Check entries by [`check_form`], which knows more than the form's own check.
///
/// ```
/// use atlas_connectors_erp::sap::{check_form, connector_form};
///
/// assert!(connector_form().fields.iter().any(|field| field.is_secret()));
/// let faults = check_form([("address", "https://erp.example.com"), ("services", "API_X Y/Z/W"), ("user", "U"), ("password", "p")]);
/// assert_eq!(faults.len(), 1);
/// assert_eq!(faults[0].field, "services");
/// ```
pub fn connector_form() -> ConnectorForm {
    let sign_in = FormKind::Choice(
        [
            ("basic", "Communication user and password"),
            ("oauth", "OAuth 2.0 client credentials"),
            ("saml", "OAuth 2.0 SAML bearer (your identity provider signs)"),
            ("certificate", "Client certificate"),
            ("destination", "BTP destination"),
        ]
        .map(|(value, label)| (value.to_owned(), label.to_owned()))
        .to_vec(),
    );
    ConnectorForm::new(crate::sap::provider(), "SAP S/4HANA and SAP Gateway")
        .field(
            FormField::new("address", "Address of the system", FormKind::Url)
                .required()
                .help("Scheme and host, such as https://my300001-api.s4hana.cloud.sap. In the public cloud the API host has -api in its name."),
        )
        .field(
            FormField::new("client", "Client", FormKind::Text)
                .help("Three digits (sap-client), on premise and in the private cloud. Leave empty for the system's default."),
        )
        .field(
            FormField::new("language", "Language", FormKind::Text)
                .default_value("EN")
                .help("Two letters. Messages and labels come in this language."),
        )
        .field(
            FormField::new("services", "Services", FormKind::Text)
                .required()
                .help("V2 names (API_SALES_ORDER_SRV), V4 groups (api_salesorder/srvd_a2x/salesorder/0001) or pasted addresses, separated by blanks."),
        )
        .field(
            FormField::new("sign_in", "Sign-in", sign_in)
                .required()
                .default_value("basic")
                .help("In the public cloud: what the communication arrangement of the service allows."),
        )
        .field(FormField::new("user", "User", FormKind::Text).required().only_if("sign_in", "basic"))
        .field(
            FormField::new("password", "Password", FormKind::Secret)
                .required()
                .only_if("sign_in", "basic")
                .help("A wrong password is sent once only: repeated tries lock the user."),
        )
        .field(FormField::new("token_url", "Token address", FormKind::Url).required().only_if("sign_in", "oauth"))
        .field(FormField::new("client_id", "OAuth client", FormKind::Text).required().only_if("sign_in", "oauth"))
        .field(FormField::new("client_secret", "OAuth secret", FormKind::Secret).required().only_if("sign_in", "oauth"))
        .field(
            FormField::new("certificate", "Certificate chain (PEM)", FormKind::Text)
                .required()
                .only_if("sign_in", "certificate"),
        )
        .field(
            FormField::new("private_key", "Private key (PEM, PKCS#8)", FormKind::Secret)
                .required()
                .only_if("sign_in", "certificate"),
        )
        .field(
            FormField::new("destination", "Destination", FormKind::Text)
                .required()
                .only_if("sign_in", "destination"),
        )
}

/// What is wrong with the entries: the form's own check, and whether addresses, client, language and services can be read.
pub fn check_form<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<FormFault> {
    let entries: Vec<(&str, &str)> = entries.into_iter().collect();
    let mut faults = connector_form().check(entries.iter().copied());
    let entry = |name: &str| {
        let found = entries
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    };
    let mut fault = |field: &str, message: &str| {
        if !faults.iter().any(|known| known.field == field) {
            faults.push(FormFault {
                field: field.to_owned(),
                message: message.to_owned(),
            });
        }
    };
    let plain = SystemAddress::parse("https://erp.example.com");
    if entry("address").is_some_and(|address| SystemAddress::parse(address).is_err()) {
        fault(
            "address",
            "Only scheme and host, and the path of a proxy in front: https://erp.example.com.",
        );
    }
    if let (Some(client), Ok(plain)) = (entry("client"), &plain)
        && plain.clone().with_client(client).is_err()
    {
        fault("client", "Three digits are expected, such as 100.");
    }
    if let (Some(language), Ok(plain)) = (entry("language"), &plain)
        && plain.clone().with_language(language).is_err()
    {
        fault("language", "Two letters are expected, such as EN.");
    }
    let services = entry("services").unwrap_or_default().split_whitespace();
    for service in services {
        if ServiceAddress::parse(service).is_err() {
            fault(
                "services",
                "A V2 name, the four parts of a V4 group, or the address of a service is expected.",
            );
        }
    }
    faults
}
