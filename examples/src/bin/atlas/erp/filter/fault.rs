//! What is wrong with an expression, and where.

use std::fmt;

/// A fault with its place: printed with the expression and a mark below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterFault {
    /// The expression.
    text: String,
    /// Where the fault begins and ends, in bytes.
    span: (usize, usize),
    /// What is wrong, and what to write.
    pub(crate) why: String,
}

impl FilterFault {
    pub(crate) fn new(text: &str, span: (usize, usize), why: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            span,
            why: why.into(),
        }
    }

    /// How many characters stand before the fault, and how many it covers.
    pub(crate) fn columns(&self) -> (usize, usize) {
        let width = |text: Option<&str>| console::measure_text_width(text.unwrap_or_default());
        let (from, to) = self.span;
        (width(self.text.get(..from)), width(self.text.get(from..to)).max(1))
    }
}

impl fmt::Display for FilterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, marked) = self.columns();
        writeln!(f, "{}", self.why)?;
        // One line, however it was typed: the mark has to stand below its place.
        writeln!(f, "  {}", self.text.replace(['\n', '\r', '\t'], " "))?;
        write!(f, "  {}{}", " ".repeat(before), "^".repeat(marked))
    }
}
