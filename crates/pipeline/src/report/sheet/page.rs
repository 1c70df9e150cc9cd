//! The page around the rows.
//!
//! Whatever comes from a list or a server stands in it as JSON, in which no `<` is left, inside elements that are no script;
//! the one script has its hash in the page's policy, so that nothing else runs, and puts everything into the page as text.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::row::Row;

const STYLE: &str = include_str!("sheet.css");
const SCRIPT: &str = include_str!("sheet.js");
const BODY: &str = include_str!("sheet.html");

pub(super) const END: &str = "</html>\n";

/// What stands where the facts of all rows are there, and pictures follow.
const BEGIN: &str = "begin()";

/// Everything before the first row.
pub(super) fn beginning() -> String {
    let hash = |script: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
    let scripts = format!("script-src 'sha256-{}' 'sha256-{}'", hash(SCRIPT), hash(BEGIN));
    let others = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
    let policy = format!("default-src 'none'; {scripts}; {others}");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>imgmill: contact sheet</title>\n\
         <style>\n{STYLE}</style>\n<body>\n{BODY}<script>{SCRIPT}</script>\n"
    )
}

/// What some rows say, in a line.
pub(super) fn facts(rows: &[Row]) -> Result<String, serde_json::Error> {
    let facts = harmless(serde_json::to_string(rows)?);
    Ok(format!("<script type=\"application/json\" class=\"rows\">{facts}</script>\n"))
}

/// The pictures of the rows of a part, counted from 0, in a line.
pub(super) fn pictures(part: usize, rows: &[Row]) -> Result<String, serde_json::Error> {
    let pictures: Vec<_> = rows.iter().map(|row| (&row.before, &row.after)).collect();
    let pictures = harmless(serde_json::to_string(&pictures)?);
    Ok(format!(
        "<script type=\"application/json\" class=\"pictures\" id=\"pictures-{part}\">{pictures}</script>\n"
    ))
}

/// What lets the page begin.
pub(super) fn begin() -> String {
    format!("<script>{BEGIN}</script>\n")
}

/// JSON in which nothing can end the element that it stands in, or begin another.
fn harmless(json: String) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_element() {
        let made =
            harmless(serde_json::to_string(&["</script><script>alert(1)//", "<!--", "&amp;"]).unwrap());
        assert!(!made.contains(['<', '>', '&']), "{made}");
        let read: Vec<String> = serde_json::from_str(&made).unwrap();
        assert_eq!(read, ["</script><script>alert(1)//", "<!--", "&amp;"]);
    }

    #[test]
    fn the_page_loads_nothing() {
        // A name of XML's, which nothing is loaded from.
        let page = beginning().replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains("src=") && !page.contains("http:") && !page.contains("https:"), "{page}");
        assert_eq!(page.matches("</script>").count(), 1);
    }
}
