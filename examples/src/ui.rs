//! Output for people: headings, facts, tables that fit the terminal, a progress bar. Without a terminal everything is
//! plain text at 100 columns.

use std::io::Write as _;
use std::time::Duration;

use atlas_connectors::Timestamp;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Row, Table, presets};
use console::{Style, Term};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Columns used where the output is no terminal.
const PLAIN_WIDTH: u16 = 100;
/// Wider lines are hard to read, however wide the terminal is.
const MAX_WIDTH: u16 = 140;

/// How something turned out, for colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As wished.
    Good,
    /// Needs a look.
    Warn,
    /// Failed or refused.
    Bad,
    /// Beside the point.
    Dim,
    /// Nothing special.
    Plain,
}

/// Writes to standard output. A closed pipe (`| head`) ends the program quietly, as people expect of a filter.
#[derive(Debug)]
pub struct Ui {
    term: Term,
}

impl Default for Ui {
    fn default() -> Self {
        Self::new()
    }
}

impl Ui {
    /// On standard output.
    pub fn new() -> Self {
        Self { term: Term::stdout() }
    }

    /// Columns to use.
    pub fn width(&self) -> u16 {
        match self.term.size_checked() {
            Some((_, columns)) if self.term.is_term() => columns.clamp(40, MAX_WIDTH),
            _ => PLAIN_WIDTH,
        }
    }

    /// One line.
    pub fn line(&self, text: impl std::fmt::Display) {
        if writeln!(std::io::stdout().lock(), "{text}").is_err() {
            std::process::exit(0);
        }
    }

    /// A heading with a blank line before it.
    pub fn heading(&self, text: &str) {
        self.line("");
        self.line(Style::new().bold().apply_to(text));
    }

    /// A numbered step of a story.
    pub fn step(&self, number: usize, text: &str) {
        self.line("");
        self.line(Style::new().bold().cyan().apply_to(format!("{number}. {text}")));
    }

    /// A sentence, wrapped and indented.
    pub fn say(&self, text: &str) {
        self.paragraph(text, Tone::Plain);
    }

    /// A sentence in a tone.
    pub fn paragraph(&self, text: &str, tone: Tone) {
        for line in wrap(text, usize::from(self.width()).saturating_sub(3)) {
            self.line(format_args!("   {}", paint(&line, tone)));
        }
    }

    /// A fact: label and value.
    pub fn fact(&self, label: &str, value: impl std::fmt::Display) {
        let label = Style::new().dim().apply_to(format!("{label:<14}"));
        self.line(format_args!("   {label} {value}"));
    }

    /// Facts one below the other, their values in one column.
    pub fn facts<'a>(&self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        let facts: Vec<(&str, String)> = facts.into_iter().collect();
        let longest = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        for (label, value) in facts {
            let label = Style::new().dim().apply_to(format!("{label:<longest$}"));
            self.line(format_args!("   {label}  {value}"));
        }
    }

    /// Text from outside, between rules, line by line as it stands. Control characters are shown, not obeyed.
    pub fn quote(&self, text: &str) {
        let bar = Style::new().dim().apply_to("│");
        for line in text.lines() {
            self.line(format_args!("   {bar} {}", printable(line)));
        }
    }

    /// A table whose cells are cut, never wrapped, so that each row is one line. `right` names the columns of numbers.
    pub fn table(&self, header: &[&str], rows: Vec<Vec<(String, Tone)>>, right: &[usize]) {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        table
            .set_width(self.width().saturating_sub(2))
            .set_truncation_indicator("…");
        let head = header
            .iter()
            .map(|name| Cell::new(Style::new().dim().apply_to(name).to_string()));
        table.set_header(Row::from(head.collect::<Vec<_>>()));
        for cells in rows {
            let mut row = Row::from(
                cells
                    .into_iter()
                    .map(|(text, tone)| Cell::new(paint(&printable(&text), tone)))
                    .collect::<Vec<_>>(),
            );
            row.max_height(1);
            table.add_row(row);
        }
        for &index in right {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            self.line(format_args!("  {}", line.trim_end()));
        }
    }

    /// A bar for work of a known size; it draws on standard error, so that piped output stays clean.
    pub fn progress(&self, total: u64, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(15));
        if let Ok(style) = ProgressStyle::with_template("   {msg} {bar:30.cyan/dim} {pos}/{len}  {per_sec}  {eta} left")
        {
            bar.set_style(style.progress_chars("━━╌"));
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// A bar that counts, whether or not it is known how far.
    pub fn counter(&self, total: Option<u64>, what: &'static str) -> ProgressBar {
        if let Some(total) = total {
            return self.progress(total, what);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(15));
        if let Ok(style) = ProgressStyle::with_template("   {spinner} {msg} {pos}  {per_sec}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// A table cell without a tone.
pub fn plain(text: impl Into<String>) -> (String, Tone) {
    (text.into(), Tone::Plain)
}

/// A moment to the minute, in UTC: `2026-11-22 09:30`.
pub fn minute(moment: Timestamp) -> String {
    moment
        .to_string()
        .chars()
        .take(16)
        .map(|c| if c == 'T' { ' ' } else { c })
        .collect()
}

/// Colours text for the terminal.
pub fn paint(text: &str, tone: Tone) -> String {
    let style = match tone {
        Tone::Good => Style::new().green(),
        Tone::Warn => Style::new().yellow(),
        Tone::Bad => Style::new().red(),
        Tone::Dim => Style::new().dim(),
        Tone::Plain => return text.to_owned(),
    };
    style.apply_to(text).to_string()
}

/// Text from outside with control and direction-changing characters replaced: a mail must not move the cursor.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || is_direction_mark(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Breaks at spaces; a longer word stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let needed = console::measure_text_width(&line) + 1 + console::measure_text_width(word);
        if !line.is_empty() && needed > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use atlas_connectors::Timestamp;

    use super::{minute, printable, wrap};

    #[test]
    fn a_moment_is_told_to_the_minute() {
        assert_eq!(minute(Timestamp::from_unix_seconds(1_795_340_999)), "2026-11-22 09:49");
    }

    #[test]
    fn wraps_at_spaces_and_keeps_every_word() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("extraordinary", 4), ["extraordinary"]);
        assert!(wrap("  ", 4).is_empty());
    }

    #[test]
    fn a_mail_cannot_move_the_cursor_or_turn_the_line_round() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\r"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
