//! Which vocabulary a term belongs to, by whatever alias the document calls it.

/// The vocabularies that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vocabulary {
    Capabilities,
    Core,
    Common,
    Measures,
    Other,
}

/// Aliases of a document. Documents that use a vocabulary without declaring it are understood by its usual names.
#[derive(Debug, Default)]
pub(super) struct Aliases(Vec<(String, Vocabulary)>);

impl Aliases {
    pub(super) fn include(&mut self, namespace: &str, alias: &str) {
        self.0.push((alias.to_owned(), by_namespace(namespace)));
    }

    /// Vocabulary and plain name of a term such as `SAP__common.Label`.
    pub(super) fn term<'a>(&self, term: &'a str) -> (Vocabulary, &'a str) {
        let Some((prefix, name)) = term.rsplit_once('.') else {
            return (Vocabulary::Other, term);
        };
        let declared = self.0.iter().find(|(alias, _)| alias == prefix);
        (declared.map_or_else(|| by_habit(prefix), |(_, found)| *found), name)
    }
}

fn by_namespace(namespace: &str) -> Vocabulary {
    match namespace {
        "Org.OData.Capabilities.V1" => Vocabulary::Capabilities,
        "Org.OData.Core.V1" => Vocabulary::Core,
        "com.sap.vocabularies.Common.v1" => Vocabulary::Common,
        "Org.OData.Measures.V1" => Vocabulary::Measures,
        _ => Vocabulary::Other,
    }
}

fn by_habit(prefix: &str) -> Vocabulary {
    match prefix.strip_prefix("SAP__").unwrap_or(prefix) {
        "Capabilities" | "capabilities" => Vocabulary::Capabilities,
        "Core" | "core" => Vocabulary::Core,
        "Common" | "common" => Vocabulary::Common,
        "Measures" | "measures" => Vocabulary::Measures,
        namespace => by_namespace(namespace),
    }
}
