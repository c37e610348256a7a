//! Everything that any crate in this process says, at trace level.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: Mutex<String> = Mutex::new(String::new());
static SPANS: AtomicU64 = AtomicU64::new(1);

/// Listens to `tracing` and to `log` from now on.
pub(crate) fn start() {
    tracing::subscriber::set_global_default(Everything).unwrap();
    log::set_logger(&Everything).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
}

/// What was said so far.
pub(crate) fn captured() -> Vec<u8> {
    LINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
        .into_bytes()
}

struct Everything;

/// Fields as text, both as strings and as `Debug` prints them.
struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn keep(metadata: &Metadata<'_>, what: &str, fields: &Fields) {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = writeln!(lines, "{what} {} {}{}", metadata.target(), metadata.name(), fields.0);
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        keep(span.metadata(), "span", &fields);
        Id::from_u64(SPANS.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(lines, "record{}", fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        keep(event.metadata(), "event", &fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // The mock is a program of its own that happens to run in this process; it logs what it is asked.
        if record.target().starts_with("wiremock") {
            return;
        }
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(lines, "log {} {}", record.target(), record.args());
    }

    fn flush(&self) {}
}
