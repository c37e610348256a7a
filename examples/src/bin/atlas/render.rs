//! How connections, conversations and messages look, for people and for scripts.

use atlas_connectors::connection::{ConnectionSummary, Status};
use atlas_connectors::mail::Message;
use atlas_connectors::sync::InboxThread;
use atlas_connectors_examples::ui::{Tone, Ui, minute, paint, plain};
use serde_json::{Value, json};

/// The address, or else the id.
pub(crate) fn account(summary: &ConnectionSummary) -> String {
    let address = summary.identity.as_ref().and_then(|identity| identity.address.clone());
    address.unwrap_or_else(|| summary.reference.connection.to_string())
}

/// A connection for scripts.
pub(crate) fn summary(summary: &ConnectionSummary) -> Value {
    json!({
        "id": summary.reference.connection,
        "provider": summary.reference.provider,
        "epoch": summary.reference.epoch,
        "address": summary.identity.as_ref().and_then(|identity| identity.address.as_deref()),
        "status": summary.status.code(),
        "line": summary.line(),
        "since": summary.status_since,
        "last_proof": summary.last_proof.map(|proof| proof.at),
        "last_sync": summary.last_sync,
        "workflows": summary.workflows,
        "actions": summary.actions(),
        "recovery": summary.recovery(),
    })
}

/// The settings page's rows.
pub(crate) fn summaries(ui: &Ui, all: &[ConnectionSummary]) {
    let rows = all
        .iter()
        .map(|row| {
            let sync = row.last_sync.map(minute).unwrap_or_else(|| "never".to_owned());
            vec![
                plain(account(row)),
                chip(&row.status),
                plain(sync),
                plain(row.reference.connection.as_str()),
            ]
        })
        .collect();
    ui.table(&["MAILBOX", "STATUS", "LAST SYNC", "ID"], rows, &[]);
}

/// One connection with everything that the operator may do.
pub(crate) fn status(ui: &Ui, summary: &ConnectionSummary) {
    ui.fact("mailbox", account(summary));
    let (word, tone) = chip(&summary.status);
    ui.fact("status", paint(&word, tone));
    ui.fact("", summary.line());
    for (number, step) in summary.recovery().iter().enumerate() {
        ui.fact(
            if number == 0 { "to do" } else { "" },
            format_args!("{}. {step}", number + 1),
        );
    }
    let sync = summary.last_sync.map(minute).unwrap_or_else(|| "never".to_owned());
    ui.fact("last sync", sync);
}

pub(crate) fn chip(status: &Status) -> (String, Tone) {
    let tone = match status {
        Status::Connected => Tone::Good,
        Status::Verifying { .. } | Status::Paused(_) => Tone::Warn,
        Status::Revoked { .. } | Status::Error { .. } => Tone::Bad,
        _ => Tone::Dim,
    };
    (status.code().to_owned(), tone)
}

/// Conversations as a table.
pub(crate) fn threads(ui: &Ui, threads: &[InboxThread]) {
    let rows = threads
        .iter()
        .map(|thread| {
            let tone = if thread.unread > 0 { Tone::Good } else { Tone::Plain };
            vec![
                plain(thread.id.as_str()),
                plain(minute(thread.received)),
                (thread.from.clone(), tone),
                (thread.subject.clone(), tone),
                plain(thread.messages.to_string()),
            ]
        })
        .collect();
    ui.table(&["CONVERSATION", "RECEIVED", "FROM", "SUBJECT", "N"], rows, &[4]);
}

/// A conversation for scripts.
pub(crate) fn thread_json(thread: &InboxThread) -> Value {
    json!({
        "id": thread.id, "newest": thread.newest, "received": thread.received, "from": thread.from,
        "subject": thread.subject, "messages": thread.messages, "unread": thread.unread,
    })
}

/// One message as text.
pub(crate) fn message(ui: &Ui, message: &Message) {
    let people =
        |list: &[atlas_connectors::mail::Address]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    ui.heading(message.subject.as_deref().unwrap_or("(no subject)"));
    ui.fact("message", &message.meta.id);
    ui.fact("received", message.meta.received);
    ui.fact("from", people(&message.from));
    ui.fact("to", people(&message.to));
    if !message.cc.is_empty() {
        ui.fact("cc", people(&message.cc));
    }
    for attachment in &message.attachments {
        let name = attachment.name.as_deref().unwrap_or("(no name)");
        ui.fact(
            "attachment",
            format_args!("{name} ({}, {} bytes)", attachment.content_type, attachment.size),
        );
    }
    ui.quote(message.text.as_deref().unwrap_or(&message.preview));
}
