//! A long read: page after page, printed as it comes, so that memory stays flat however much there is.

use std::sync::Arc;

use atlas_connectors::erp::{Query, Record, stream_of};
use futures_util::StreamExt as _;

use crate::erp::records::{self, Fields};
use crate::erp::work::Work;
use crate::failure::Failure;
use crate::session::Session;

/// Rows of one table; with the next one its head is printed again.
const ROWS: usize = 1_000;

/// What was printed.
pub(super) struct Printed {
    /// How many records.
    pub(super) read: u64,
    /// How many of their fields a table left out.
    pub(super) left_out: usize,
}

/// Reads all records of a query and prints them, as tables or as one JSON document.
pub(super) async fn print(
    session: &Session,
    work: &Work<'_>,
    query: Query,
    known: Option<u64>,
) -> Result<Printed, Failure> {
    let mut printer = Printer {
        session,
        fields: Fields::of(&query),
        held: Vec::new(),
        printed: Printed { read: 0, left_out: 0 },
    };
    let bar = session.ui.counter(query.limit.or(known), "reading");
    let mut found = std::pin::pin!(stream_of(Arc::clone(&work.erp), query));
    let ended = loop {
        let next = tokio::select! {
            next = found.next() => next,
            interrupted = tokio::signal::ctrl_c() => {
                let read = printer.printed.read;
                break match interrupted {
                    Ok(()) => Err(Failure::NeedsPerson(format!("stopped after {read} records"))),
                    Err(error) => Err(Failure::file("cannot listen for ctrl-c")(error)),
                };
            }
        };
        match next {
            None => break Ok(()),
            Some(Err(error)) => break work.ask(std::future::ready(Err(error))).await,
            Some(Ok(record)) => {
                bar.set_position(printer.printed.read + 1);
                if printer.hold(record) {
                    bar.suspend(|| printer.flush());
                }
            }
        }
    };
    bar.finish_and_clear();
    if let Err(failure) = ended {
        printer.break_off();
        return Err(failure);
    }
    printer.flush();
    printer.close("");
    // The last page has answered: that proves that the connection works.
    work.ask(std::future::ready(Ok(()))).await?;
    Ok(printer.printed)
}

struct Printer<'a> {
    session: &'a Session,
    fields: Fields,
    held: Vec<Record>,
    printed: Printed,
}

impl Printer<'_> {
    /// Keeps a record; true once so many are held that they should be printed.
    fn hold(&mut self, record: Record) -> bool {
        self.held.push(record);
        self.printed.read += 1;
        self.held.len() >= ROWS
    }

    /// Prints what is held: the next table, or the next part of the document.
    fn flush(&mut self) {
        if !self.session.is_json() {
            let left_out = records::table(&self.session.ui, &self.held, self.fields);
            self.printed.left_out = self.printed.left_out.max(left_out);
            self.held.clear();
            return;
        }
        let mut first = self.is_untouched();
        for record in self.held.drain(..) {
            let opening = if first { "{\"records\":[\n" } else { "," };
            self.session
                .ui
                .line(format_args!("{opening}{}", records::document(&record)));
            first = false;
        }
    }

    /// Whether nothing has been printed yet.
    fn is_untouched(&self) -> bool {
        u64::try_from(self.held.len()) == Ok(self.printed.read)
    }

    fn close(&self, more: &str) {
        let read = self.printed.read;
        if !self.session.is_json() {
            return;
        }
        let opening = if read == 0 { "{\"records\":[" } else { "" };
        self.session
            .ui
            .line(format_args!("{opening}],\"count\":{read}{more}}}"));
    }

    /// What was printed before a failure is closed; the failure follows as a document of its own.
    fn break_off(&mut self) {
        if !self.is_untouched() {
            self.flush();
            self.close(",\"complete\":false");
        }
    }
}
