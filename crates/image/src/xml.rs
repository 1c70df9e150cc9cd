//! The beginning of an XML file: as much as it takes to know its root element without reading all of it.

/// Where the first element's start tag begins in some text that may break off; `None` where no element is seen. What may
/// stand before it is skipped: a byte order mark, declarations, comments, a document type (XML 1.0 §2.8).
pub(crate) fn root(text: &[u8]) -> Option<usize> {
    let mut at = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    loop {
        at += text.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let rest = text.get(at..)?;
        at += if rest.starts_with(b"<?") {
            behind(rest, b"?>")?
        } else if rest.starts_with(b"<!--") {
            4 + behind(&rest[4..], b"-->")?
        } else if rest.starts_with(b"<!DOCTYPE") {
            document_type(rest)?
        } else {
            return rest.starts_with(b"<").then_some(at);
        };
    }
}

/// The name that follows a `<`, without its namespace's prefix.
pub(crate) fn local_name(tag: &[u8]) -> &[u8] {
    let name = tag.get(1..).unwrap_or_default();
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
    let name = &name[..name.iter().position(ends).unwrap_or(name.len())];
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}

/// The length of a start tag, `<` and `>` included; quoted values may hold either.
#[cfg(feature = "svg")]
pub(crate) fn tag_length(tag: &[u8]) -> Option<usize> {
    unquoted(tag, |byte| byte == b'>').map(|at| at + 1)
}

fn document_type(text: &[u8]) -> Option<usize> {
    let at = unquoted(text, |byte| matches!(byte, b'[' | b'>'))?;
    if text[at] == b'>' {
        return Some(at + 1);
    }
    // An internal subset: declarations until `]`, whose values are quoted.
    let end = at + unquoted(&text[at..], |byte| byte == b']')?;
    Some(end + behind(&text[end..], b">")?)
}

fn unquoted(text: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let mut quote = None;
    text.iter().position(|byte| match quote {
        Some(open) => {
            if *byte == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(byte, b'"' | b'\'') {
                quote = Some(*byte);
            }
            wanted(*byte)
        }
    })
}

/// As many bytes as it takes to be behind the first `end`.
fn behind(text: &[u8], end: &[u8]) -> Option<usize> {
    text.windows(end.len()).position(|window| window == end).map(|at| at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_behind_all_that_may_stand_before_it() {
        let cases: [(&[u8], Option<&[u8]>); 9] = [
            (b"<svg/>", Some(b"svg")),
            (b"\xEF\xBB\xBF <?xml version='1.0'?>\n<!-- <html> -->\n<svg:svg xmlns:svg='a'>", Some(b"svg")),
            (b"<!DOCTYPE svg PUBLIC \"a>b\" 'c'><svg width='1'>", Some(b"svg")),
            (b"<!DOCTYPE svg [<!ENTITY a \"]>\"> <!ENTITY b 'x'>]  ><svg>", Some(b"svg")),
            (b"<!doctype html><svg>", Some(b"!doctype")),
            (b"<html><svg></svg></html>", Some(b"html")),
            (b"<!-- never closed <svg>", None),
            (b"text <svg>", None),
            (b"", None),
        ];
        for (text, expected) in cases {
            let found = root(text).map(|at| local_name(&text[at..]));
            assert_eq!(found, expected, "{}", text.escape_ascii());
        }
    }

    #[cfg(feature = "svg")]
    #[test]
    fn a_tag_ends_at_the_bracket_that_is_not_quoted() {
        assert_eq!(tag_length(b"<svg a='>' b=\"'>\">x>"), Some(18));
        assert_eq!(tag_length(b"<svg a='>"), None);
    }
}
