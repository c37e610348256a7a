//! What metadata does not say.

/// What a provider is known for and its metadata does not say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CatalogSettings {
    /// The service, as it stands in the entities.
    pub service: Option<String>,
    /// Beginnings of the names of fields that a customer added.
    pub custom: Vec<String>,
    /// Names of fields that tell when a record was last changed, the best first.
    pub changed_at: Vec<String>,
    /// Every record carries an ETag, whatever the metadata says.
    pub etags: bool,
    /// What people read for a member of an enum type, by its name on the wire.
    pub member_label: fn(&str) -> String,
}

impl CatalogSettings {
    /// SAP: own fields begin with `YY1_` or `ZZ1_` (`sap-odata.md`, section 17).
    pub fn sap(service: impl Into<String>) -> Self {
        Self {
            service: Some(service.into()),
            custom: vec!["YY1_".to_owned(), "ZZ1_".to_owned()],
            changed_at: [
                "LastChangeDateTime",
                "LastChangedDateTime",
                "LastChangeDate",
                "LastChangedAt",
            ]
            .map(str::to_owned)
            .to_vec(),
            etags: false,
            member_label: str::to_owned,
        }
    }

    /// Business Central: ETags everywhere, without a word about it in the metadata (`business-central.md`, section 5).
    pub fn business_central() -> Self {
        Self {
            service: None,
            custom: Vec::new(),
            changed_at: ["lastModifiedDateTime", "systemModifiedAt"].map(str::to_owned).to_vec(),
            etags: true,
            member_label: str::to_owned,
        }
    }

    /// Sets what people read for a member of an enum type.
    #[must_use]
    pub fn with_member_label(mut self, label: fn(&str) -> String) -> Self {
        self.member_label = label;
        self
    }
}
