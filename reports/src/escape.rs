//! The one place where foreign text becomes part of a page.
//!
//! Databases supply errors, operators supply names, and either may hold markup, or characters that
//! reorder or hide the text around them. [`write_html`] makes text safe in HTML and SVG, as content
//! and in quoted attributes; [`json_script`] makes a value safe inside a `<script>` element.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;

/// Writes `text` so that it is only ever text: markup is escaped, and characters that would reorder
/// or hide what stands around them (controls, bidirectional overrides, line separators) are shown
/// by their number. The templates' escape function.
pub(crate) fn write_html(text: &str, output: &mut dyn io::Write) -> io::Result<()> {
    let mut plain = 0;
    for (at, character) in text.char_indices() {
        let replacement = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#x27;",
            other if is_deceptive(other) => "",
            _ => continue,
        };
        output.write_all(&text.as_bytes()[plain..at])?;
        plain = at + character.len_utf8();
        match replacement {
            "" => write!(output, "\\u{{{:x}}}", u32::from(character))?,
            entity => output.write_all(entity.as_bytes())?,
        }
    }
    output.write_all(&text.as_bytes()[plain..])
}

/// `text` by [`write_html`].
pub(crate) fn html(text: &str) -> String {
    let mut escaped = Vec::with_capacity(text.len());
    write_html(text, &mut escaped).expect("writing into memory does not fail");
    String::from_utf8(escaped).expect("escaping keeps text text")
}

/// `text` without deceptive characters, for scripts, which show text as text.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_deceptive(character) {
            // Writing into a string cannot fail.
            true => _ = write!(shown, "\\u{{{:x}}}", u32::from(character)),
            false => shown.push(character),
        }
    }
    shown
}

/// A `<script type="application/json">` element that holds `value`. Inside a script element HTML
/// knows no entities and ends at the first `</script`, so what could end it, open a comment, or
/// break a line of JavaScript is written as a JSON escape.
pub(crate) fn json_script(id: &str, value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    let mut element = String::with_capacity(json.len() + 64);
    let _ = write!(element, "<script type=\"application/json\" id=\"{}\">", html(id));
    let mut plain = 0;
    for (at, found) in json.match_indices(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        element.push_str(&json[plain..at]);
        let code = found.chars().next().map_or(0, u32::from);
        let _ = write!(element, "\\u{code:04x}");
        plain = at + found.len();
    }
    element.push_str(&json[plain..]);
    element.push_str("</script>");
    Ok(element)
}

fn is_deceptive(character: char) -> bool {
    let kept = matches!(character, '\n' | '\t');
    let hidden_or_reordering = matches!(character,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    !kept && (character.is_control() || hidden_or_reordering)
}

/// An address within the page's folder: whatever looks like a scheme or another host
/// (`javascript:`, `//host`) is made a path below it, in which only plain characters stay as they
/// are.
pub(crate) fn relative(href: &str) -> String {
    let mut path = String::new();
    for byte in href.trim_start_matches('/').bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'.'
            | b'-'
            | b'_'
            | b'~'
            | b'='
            | b'+'
            | b','
            | b'@' => path.push(char::from(byte)),
            other => path += &format!("%{other:02X}"),
        }
    }
    match path.is_empty() {
        true => path,
        false => format!("./{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_within_the_folder() {
        assert_eq!(relative("runs/a b/report.html"), "./runs/a%20b/report.html");
        assert_eq!(relative("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(relative("//host/x"), "./host/x");
        assert_eq!(relative(""), "");
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            html("</script><script>alert(\"1\" & '2')</script>"),
            "&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot; &amp; &#x27;2&#x27;)&lt;/script&gt;"
        );
    }

    #[test]
    fn what_reorders_or_hides_is_shown_by_number() {
        assert_eq!(html("a\u{202e}b\u{2028}c\u{0}"), "a\\u{202e}b\\u{2028}c\\u{0}");
        assert_eq!(visible("<a\u{202e}b>"), "<a\\u{202e}b>");
        assert_eq!(html("Größe: 3 µs → ok\n"), "Größe: 3 µs → ok\n");
    }

    #[test]
    fn embedded_json_cannot_leave_its_element_and_reads_back() {
        let hostile = "</script><!-- & \u{2028}\u{2029} \"";
        let element = json_script("data", &[hostile]).expect("text is JSON");
        let json = element
            .strip_prefix("<script type=\"application/json\" id=\"data\">")
            .and_then(|rest| rest.strip_suffix("</script>"))
            .expect("one element");
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{json}");
        let back: Vec<String> = serde_json::from_str(json).expect("still JSON");
        assert_eq!(back, [hostile]);
    }
}
