//! What a person is asked for to connect an Odoo.

use atlas_connectors::erp::{ConnectorForm, FormField, FormKind};

/// The form: address, database, login, and a key or a password.
///
/// ```
/// let form = atlas_connectors_erp::odoo::form();
/// let faults = form.check([("url", "https://erp.example.com"), ("login", "bot"), ("secret", "k")]);
/// assert_eq!(faults.len(), 1);
/// assert_eq!(faults[0].field, "database");
/// ```
pub fn form() -> ConnectorForm {
    let kinds = Vec::from([
        ("key".to_owned(), "API key".to_owned()),
        ("password".to_owned(), "Password".to_owned()),
    ]);
    ConnectorForm::new(super::PROVIDER, "Odoo")
        .field(
            FormField::new("url", "Address", FormKind::Url)
                .required()
                .help("Where Odoo is opened in the browser, without what follows the name: https://acme.odoo.com"),
        )
        .field(FormField::new("database", "Database", FormKind::Text).required().help(
            "Its name as the sign-in page or the administrator says it. On Odoo Online it may differ from the address.",
        ))
        .field(
            FormField::new("login", "Login", FormKind::Text)
                .required()
                .help("The user that the key or password belongs to; capital and small letters differ."),
        )
        .field(FormField::new("secret_kind", "Signs in by", FormKind::Choice(kinds)).default_value("key"))
        .field(
            FormField::new("secret", "API key or password", FormKind::Secret)
                .required()
                .help(
                    "A key is made in Odoo under Preferences, Account Security. Users with a second factor need one. \
             A key of an ordinary user ends after at most 90 days unless an administrator makes it.",
                ),
        )
        .field(
            FormField::new(
                "company",
                "Company",
                FormKind::Number {
                    least: 1,
                    most: u32::MAX,
                },
            )
            .help("The number of the company to work in; needed where the user has several."),
        )
}
