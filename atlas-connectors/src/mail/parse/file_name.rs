//! File names that a host may create in a folder.

/// Longest name in bytes, extension included.
const MAX_BYTES: usize = 200;
/// Names that open a device on Windows, with any extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// A safe form of a sender's file name, and whether anything had to be changed. `None` if nothing is left.
pub(super) fn sanitise(given: &str) -> (Option<String>, bool) {
    // What stands before the last separator of any system is a path.
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last.chars().filter(|&c| !is_hidden(c)).map(replace_reserved).collect();
    name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    // Windows drops dots and spaces at the end; a name of dots is a folder.
    let end = name.trim_end_matches(['.', ' ']).len();
    name.truncate(end);
    let stem = name.split('.').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_port = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            rest.chars().count() == 1 && rest.chars().all(|c| c.is_ascii_digit() || "¹²³".contains(c))
        })
    };
    if DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt") {
        name.insert(0, '_');
    }
    let name = shorten(name);
    let changed = name != given;
    ((!name.is_empty()).then_some(name), changed)
}

/// Control, direction and invisible characters: `invoice\u{202e}fdp.exe` shows as `invoiceexe.pdf`.
fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn replace_reserved(c: char) -> char {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        '\t' => ' ',
        c => c,
    }
}

/// Cuts the stem and keeps the extension.
fn shorten(name: String) -> String {
    if name.len() <= MAX_BYTES {
        return name;
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (name.as_str(), String::new()),
    };
    let mut end = MAX_BYTES - extension.len();
    while !stem.is_char_boundary(end.min(stem.len())) {
        end -= 1;
    }
    format!("{}{extension}", stem.get(..end).unwrap_or(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let cases = [
            ("offer.pdf", Some("offer.pdf"), false),
            ("Angebot für Stück 7.pdf", Some("Angebot für Stück 7.pdf"), false),
            ("../../../etc/passwd", Some("passwd"), true),
            ("..\\..\\autoexec.bat", Some("autoexec.bat"), true),
            ("C:\\Users\\x\\offer.pdf", Some("offer.pdf"), true),
            ("CON", Some("_CON"), true),
            ("com1.txt", Some("_com1.txt"), true),
            ("nul.tar.gz", Some("_nul.tar.gz"), true),
            ("contract.pdf", Some("contract.pdf"), false),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe"), true),
            ("a\0b.pdf", Some("ab.pdf"), true),
            ("a\r\nb.pdf", Some("ab.pdf"), true),
            ("report.pdf. .", Some("report.pdf"), true),
            ("..", None, true),
            ("dir/", None, true),
            ("", None, false),
            ("what?.pdf:stream", Some("what_.pdf_stream"), true),
        ];
        for (given, expected, changed) in cases {
            assert_eq!(sanitise(given), (expected.map(str::to_owned), changed), "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let (name, changed) = sanitise(&format!("{}.pdf", "ü".repeat(300)));
        let name = name.unwrap();
        assert!(changed && name.len() <= MAX_BYTES && name.ends_with("ü.pdf"), "{name}");
    }
}
