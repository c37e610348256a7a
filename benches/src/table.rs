//! The one table that a run prints.

use comfy_table::{ContentArrangement, Table, presets};

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: String,
    measured: String,
    against: String,
    ratio: String,
    wanted: &'static str,
}

impl Figure {
    /// A figure by its name, with what was measured in words and what was wanted of it.
    pub(crate) fn new(name: impl Into<String>, measured: impl Into<String>, wanted: &'static str) -> Self {
        Self {
            name: name.into(),
            measured: measured.into(),
            against: "-".to_owned(),
            ratio: "-".to_owned(),
            wanted,
        }
    }

    /// What it is compared with, and how it compares.
    #[must_use]
    pub(crate) fn against(mut self, against: impl Into<String>, ratio: impl Into<String>) -> Self {
        self.against = against.into();
        self.ratio = ratio.into();
        self
    }
}

/// The figures as text.
pub(crate) fn rendered(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["figure", "measured", "against", "ratio", "wanted"]);
    for figure in figures {
        table.add_row([
            figure.name.as_str(),
            &figure.measured,
            &figure.against,
            &figure.ratio,
            figure.wanted,
        ]);
    }
    table.to_string()
}
