//! URI templates (RFC 6570) with the one variable `id`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Unreserved characters stand for themselves.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// And with `+` and `#` the reserved ones too.
const RESERVED: &AsciiSet = &UNRESERVED
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'#')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// A URL with places for an image's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Id { operator: Option<char>, letters: Option<usize> },
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Err(format!("{text:?} is no template of a URL, as in https://example.org/{{id}}"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            parts.push(Part::Text(before.to_owned()));
            let (inside, after) =
                after.split_once('}').ok_or_else(|| format!("{text:?}: a '{{' without its '}}'"))?;
            let operator = inside.chars().next().filter(|first| "+#./;?&".contains(*first));
            let variable = inside.trim_start_matches(|first| Some(first) == operator);
            let (name, letters) = match variable.trim_end_matches('*').split_once(':') {
                Some((name, letters)) => {
                    (name, Some(letters.parse().map_err(|_| format!("{text:?}: {{{inside}}}"))?))
                }
                None => (variable.trim_end_matches('*'), None),
            };
            if name != "id" {
                return Err(format!("{text:?}: {{{inside}}} is not known; the image's name is {{id}}"));
            }
            parts.push(Part::Id { operator, letters });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if !parts.iter().any(|part| matches!(part, Part::Id { .. })) {
            return Err(format!("{text:?} has no place for the image's name, {{id}}"));
        }
        Ok(Template { parts })
    }
}

impl Template {
    /// The URL of an image.
    pub fn expand(&self, id: &str) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Id { operator, letters } => {
                    let id: String = id.chars().take(letters.unwrap_or(usize::MAX)).collect();
                    let value = |set: &'static AsciiSet| utf8_percent_encode(&id, set).to_string();
                    match operator {
                        Some('+') => value(RESERVED),
                        Some('#') => format!("#{}", value(RESERVED)),
                        Some(';') => format!(";id={}", value(UNRESERVED)),
                        Some(first @ ('?' | '&')) => format!("{first}id={}", value(UNRESERVED)),
                        Some(first) => format!("{first}{}", value(UNRESERVED)),
                        None => value(UNRESERVED),
                    }
                }
            })
            .collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Id { .. } => f.write_str("{id}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_the_rfc_has_it() {
        for (template, url) in [
            ("https://h/{id}", "https://h/a%2Fb%20c.jpg"),
            ("https://h/{+id}", "https://h/a/b%20c.jpg"),
            ("https://h{/id}/x", "https://h/a%2Fb%20c.jpg/x"),
            ("https://h/x{?id}", "https://h/x?id=a%2Fb%20c.jpg"),
            ("https://h/x?y=1{&id}", "https://h/x?y=1&id=a%2Fb%20c.jpg"),
            ("https://h/{id:1}/{id}", "https://h/a/a%2Fb%20c.jpg"),
            ("https://h/x{#id}", "https://h/x#a/b%20c.jpg"),
        ] {
            assert_eq!(template.parse::<Template>().unwrap().expand("a/b c.jpg"), url, "{template}");
        }
        for bad in ["https://h/", "https://h/{name}", "https://h/{id", "ftp://h/{id}", "{id}"] {
            assert!(bad.parse::<Template>().is_err(), "{bad}");
        }
    }
}
