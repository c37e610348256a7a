//! What has to be known to connect to Business Central.

use atlas_connectors::erp::{ConnectorForm, FormField, FormKind};

/// The form of the card: where the service runs, which tenant and environment, and how to sign in. The company is not
/// asked for here; it is chosen from a list after the first sign-in.
pub fn connector_form() -> ConnectorForm {
    let choice = |choices: &[(&str, &str)]| {
        FormKind::Choice(
            choices
                .iter()
                .map(|(value, label)| ((*value).into(), (*label).into()))
                .collect(),
        )
    };
    ConnectorForm::new(super::PROVIDER, "Dynamics 365 Business Central")
        .field(
            FormField::new(
                "hosting",
                "Hosting",
                choice(&[("cloud", "Microsoft's cloud"), ("on_premises", "Own server")]),
            )
            .required()
            .default_value("cloud")
            .help("Where Business Central runs."),
        )
        .field(
            FormField::new("tenant", "Entra tenant", FormKind::Text)
                .help("Tenant id or domain, such as contoso.com. Empty: the tenant of whoever signs in.")
                .only_if("hosting", "cloud"),
        )
        .field(
            FormField::new("environment", "Environment", FormKind::Text)
                .required()
                .default_value("Production")
                .help("As in the admin center and in the address of the web client.")
                .only_if("hosting", "cloud"),
        )
        .field(
            FormField::new("sign_in", "Sign-in", FormKind::SignIn)
                .required()
                .help("A user who is licensed in this environment; rights are that user's.")
                .only_if("hosting", "cloud"),
        )
        .field(
            FormField::new("address", "Address", FormKind::Url)
                .required()
                .help("With port and instance: https://erp.example.com:7048/BC. API services must be switched on.")
                .only_if("hosting", "on_premises"),
        )
        .field(
            FormField::new("server_tenant", "Tenant", FormKind::Text)
                .help("Only for servers with several tenants.")
                .only_if("hosting", "on_premises"),
        )
        .field(
            FormField::new("user", "User", FormKind::Text)
                .required()
                .only_if("hosting", "on_premises"),
        )
        .field(
            FormField::new("access_key", "Web service access key", FormKind::Secret)
                .required()
                .help("On the user's card, Web Service Access. The cloud no longer takes such keys.")
                .only_if("hosting", "on_premises"),
        )
        .field(
            FormField::new("route", "API", FormKind::Text)
                .default_value("v2.0")
                .help("v2.0, or publisher/group/version of an API of your own."),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(entries: &[(&str, &str)]) -> Vec<String> {
        let faults = connector_form().check(entries.iter().copied());
        faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn each_hosting_asks_for_its_own() {
        assert_eq!(faulty(&[]), Vec::<String>::new(), "the cloud needs a sign-in only");
        assert_eq!(faulty(&[("hosting", "on_premises")]), ["address", "user", "access_key"]);
        assert_eq!(
            faulty(&[
                ("hosting", "on_premises"),
                ("address", "BC"),
                ("user", "u"),
                ("access_key", "k")
            ]),
            ["address"]
        );
        let form = connector_form();
        let secret: Vec<_> = form
            .fields
            .iter()
            .filter(|field| field.is_secret())
            .map(|field| &*field.name)
            .collect();
        assert_eq!(secret, ["access_key"]);
    }
}
