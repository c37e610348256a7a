//! HTML to plain text: nothing is loaded, nothing is run, output and work are bounded by the input.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content is never text to read.
const SKIPPED: &[&str] = &[
    "script", "style", "head", "title", "template", "noscript", "svg", "math", "object", "iframe",
];
/// Elements that begin a new line.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "br",
    "tr",
    "table",
    "ul",
    "ol",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "hr",
    "section",
    "article",
    "header",
    "footer",
    "address",
    "dl",
    "dt",
    "dd",
    "form",
    "center",
    "body",
];
/// Longest entity that is looked up, with `&` and `;`.
const MAX_ENTITY: usize = 34;

/// The text of an HTML document, at most `limit` bytes. White space is squeezed, blocks become lines, at most one empty line in a row.
pub(crate) fn html_to_text(html: &str, limit: usize) -> String {
    let mut out = Output::default();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (plain, after) = rest.split_at(at);
        out.text(plain);
        if out.text.len() >= limit {
            break;
        }
        rest = if after.starts_with('&') {
            out.entity(after)
        } else {
            markup(after, &mut out)
        };
    }
    if out.text.len() < limit {
        out.text(rest);
    }
    let mut text = out.text;
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text.truncate(text.trim_end().len());
    text
}

/// One line of readable text: white space squeezed, invisible and direction characters out, at most `limit` characters.
pub(super) fn preview(text: &str, limit: usize) -> String {
    let mut preview = String::new();
    let mut count = 0;
    let mut gap = false;
    for c in text.chars() {
        // Most characters are these: they need no look at the tables.
        let plain = c.is_ascii_graphic();
        if !plain && (c.is_whitespace() || c.is_control()) {
            gap = !preview.is_empty();
            continue;
        }
        let invisible = !plain
            && matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}');
        if invisible {
            continue;
        }
        if count + usize::from(gap) >= limit {
            break;
        }
        if std::mem::take(&mut gap) {
            preview.push(' ');
            count += 1;
        }
        preview.push(c);
        count += 1;
    }
    preview
}

/// Text in the making.
#[derive(Default)]
struct Output {
    text: String,
    /// White space waits here until something readable follows.
    gap: bool,
    /// Line ends wait here, at most two.
    lines: usize,
}

impl Output {
    fn text(&mut self, plain: &str) {
        for word in plain.split_inclusive(char::is_whitespace) {
            let bare = word.trim_end();
            if !bare.is_empty() {
                self.separate();
                self.text.push_str(bare);
            }
            self.gap |= bare.len() < word.len();
        }
    }

    fn separate(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let gap = std::mem::take(&mut self.gap);
        if self.text.is_empty() {
            return;
        }
        if lines > 0 {
            self.text.push_str(if lines > 1 { "\n\n" } else { "\n" });
        } else if gap {
            self.text.push(' ');
        }
    }

    fn line(&mut self, count: usize) {
        self.lines = self.lines.max(count);
        self.gap = false;
    }

    /// Reads an entity at the beginning of `after` and returns what follows it.
    fn entity<'a>(&mut self, after: &'a str) -> &'a str {
        let end = after
            .bytes()
            .take(MAX_ENTITY)
            .position(|byte| byte == b';')
            .filter(|&end| {
                let name = after.get(1..end).unwrap_or_default();
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')
            });
        let (token, rest) = match end {
            Some(end) => after.split_at(end + 1),
            None => after.split_at(1),
        };
        let mut decoded = String::new();
        add_html_token(&mut decoded, token.as_bytes(), false);
        if decoded == "\u{a0}" {
            self.gap = true;
        } else {
            self.text(&decoded.replace('\0', ""));
        }
        rest
    }
}

/// Reads a tag or comment at the beginning of `after` and returns what follows it.
fn markup<'a>(after: &'a str, out: &mut Output) -> &'a str {
    if let Some(comment) = after.strip_prefix("<!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    let inner = after.get(1..).unwrap_or_default();
    let is_tag = inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    if !is_tag {
        out.text("<");
        return inner;
    }
    let (tag, rest) = split_tag(inner);
    let closing = tag.starts_with('/');
    let name: String = tag
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .take(16)
        .collect::<String>()
        .to_ascii_lowercase();
    if SKIPPED.contains(&name.as_str()) {
        if closing || tag.ends_with('/') {
            return rest;
        }
        return skip_element(rest, &name);
    }
    match name.as_str() {
        "br" => {
            let lines = out.lines + 1;
            out.line(lines);
        }
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => out.line(2),
        "li" if !closing => {
            out.line(1);
            out.text("- ");
        }
        "td" | "th" => out.gap = true,
        name if BLOCKS.contains(&name) => out.line(1),
        _ => {}
    }
    rest
}

/// Splits behind the `>` that ends a tag; one inside a quoted attribute does not.
fn split_tag(inner: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => {
                return (
                    inner.get(..at).unwrap_or_default(),
                    inner.get(at + 1..).unwrap_or_default(),
                );
            }
            (None, b'"' | b'\'') if inner.get(..at).is_some_and(|before| before.trim_end().ends_with('=')) => {
                quote = Some(byte)
            }
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    // Never closed: a quote that does not end hides nothing more than its own tag.
    match inner.split_once('>') {
        Some((tag, rest)) => (tag, rest),
        None => (inner, ""),
    }
}

/// What follows the end tag of an element; nothing if it has none, except for `head`, whose end tag may be left out.
fn skip_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|tail| tail.iter().position(|&byte| byte == b'<'))
    {
        at += found;
        let tail = rest.get(at..).unwrap_or_default();
        let after = tail.get(1..).unwrap_or_default();
        let is_end = after
            .strip_prefix('/')
            .and_then(|end| end.get(..name.len()))
            .is_some_and(|end| end.eq_ignore_ascii_case(name));
        if is_end {
            return split_tag(after).1;
        }
        if name == "head" && after.get(..4).is_some_and(|tag| tag.eq_ignore_ascii_case("body")) {
            return tail;
        }
        at += 1;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let cases = [
            ("<p>News</p>", "News"),
            (
                "<p>Dear Ms&nbsp;Novak,</p><p>we  order\n 5 &lt; 6 &amp; more&hellip;</p>",
                "Dear Ms Novak,\n\nwe order 5 < 6 & more…",
            ),
            ("<head><title>t</title><style>p{}</style></head><body>Hi</body>", "Hi"),
            ("a<script>if (a < b) alert('</p>')</script>b", "ab"),
            ("a<!-- <b>hidden</b> -->b", "ab"),
            ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
            ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
            (
                "<table><tr><td>Qty</td><td>5</td></tr><tr><td>x</td></tr></table>",
                "Qty 5\nx",
            ),
            ("<a title=\"a > b\" href='x'>link</a>", "link"),
            ("<img src=\"https://tracker.example/x.gif\" alt=\"x\">text", "text"),
            ("5 < 6 & 7 &nosuch; &#8364; &#x20AC;", "5 < 6 & 7 &nosuch; € €"),
            ("<p unclosed", ""),
            ("<a href=\"never closed>text", "text"),
            ("<script>never closed", ""),
            ("", ""),
        ];
        for (html, text) in cases {
            assert_eq!(html_to_text(html, 1_000), text, "{html:?}");
        }
    }

    #[test]
    fn the_limit_cuts_between_characters() {
        assert_eq!(html_to_text("ää", 3), "ä");
    }

    #[test]
    fn previews_are_one_line_without_hidden_characters() {
        assert_eq!(
            preview("  Dear\r\n\tJana,\u{200b}\u{202e} thanks ", 100),
            "Dear Jana, thanks"
        );
        assert_eq!(preview("abc def", 4), "abc");
        assert_eq!(preview("abc def", 5), "abc d");
    }
}
