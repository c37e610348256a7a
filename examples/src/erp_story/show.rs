//! How the story is told on a terminal.

use crate::erp_story::{Played, STEPS, Story, play};
use crate::ui::{Tone, Ui, plain, printable};

/// Plays the story and tells it: what the reviewer saw, one table, and what the refusals said.
///
/// # Errors
/// As [`play`].
pub async fn tell(ui: &Ui) -> Story<()> {
    ui.heading("Atlas Connectors: one program text, three ERPs");
    let folder = tempfile::tempdir()?;
    let played = Box::pin(play(folder.path())).await?;
    ui.fact(
        "systems",
        "mocks of Odoo 19, an S/4HANA and Business Central in this process, over HTTP",
    );
    ui.fact(
        "store",
        "SQLite, one file in a temporary folder; credentials and waiting writes sealed",
    );
    ui.line("");
    show(ui, &played);
    Ok(())
}

fn show(ui: &Ui, played: &Played) {
    if let Some(first) = played.columns.first() {
        ui.say(&format!(
            "What the reviewer of the purchase order saw ({}); nothing was written before the approval:",
            first.title
        ));
        ui.quote(&first.review);
        ui.line("");
    }
    let mut header = vec!["STEP"];
    header.extend(played.columns.iter().map(|column| column.title));
    let mut rows = Vec::new();
    for (at, step) in STEPS.iter().enumerate() {
        let mut row = vec![plain(*step)];
        for column in &played.columns {
            let cell = column.cells.get(at);
            row.push(cell.map_or_else(|| plain("-"), |cell| (cell.text.clone(), cell.tone)));
        }
        rows.push(row);
    }
    let mut counts = vec![("the system counted".to_owned(), Tone::Dim)];
    for stage in &played.stages {
        let orders = format!("{} orders created", stage.hand.purchase_orders());
        counts.push((orders, Tone::Dim));
    }
    rows.push(counts);
    ui.table(&header, rows, &[]);
    ui.line("");
    if let Some(first) = played.columns.first() {
        ui.fact("too much", printable(&first.fault));
    }
    for (at, column) in played.columns.iter().enumerate() {
        let label = if at == 0 { "for nobody" } else { "" };
        ui.fact(label, printable(&format!("{}: {}", column.title, column.refusal)));
    }
    ui.fact("audit", format_args!("{} entries, the chain is whole", played.audited));
    ui.line("");
}
