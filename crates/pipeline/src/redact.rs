//! Keeps secrets that travel in URLs out of logs, errors, reports and pointers.
//!
//! A signed URL's signature or a password before the `@` lets any reader act as the owner. The output and
//! failed lists keep the URL as it was given, since they are the caller's own data.

use std::borrow::Cow;

/// Query parameters whose values are credentials, compared without case.
const SECRET_PARAMETERS: &[&str] = &[
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-signature",
    "x-goog-credential",
    "awsaccesskeyid",
    "googleaccessid",
    "key-pair-id",
    "policy",
    "signature",
    "sig",
    "token",
    "access_token",
    "auth",
    "apikey",
    "api_key",
    "key",
    "password",
    "secret",
];

const MASK: &str = "***";

/// `url` with user information and credential parameters masked, and control characters, which could play
/// tricks on a terminal, made visible; the same text where there is none of these.
pub fn url(url: &str) -> Cow<'_, str> {
    let masked = mask(url);
    if !masked.contains(char::is_control) {
        return masked;
    }
    let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(masked.chars().map(visible).collect())
}

fn mask(url: &str) -> Cow<'_, str> {
    let Some(scheme_end) = url.find("://") else { return Cow::Borrowed(url) };
    let authority_start = scheme_end + 3;
    let rest = &url[authority_start..];
    let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password with a slash in it makes no valid URL, yet is one: whatever looks like a port and is none.
    let mut user_end = authority_len;
    if let Some((_, port)) = rest[..authority_len].rsplit_once(':')
        && !port.bytes().all(|byte| byte.is_ascii_digit() || byte == b']')
    {
        user_end = rest.len();
    }
    let at = rest[..user_end].rfind('@');
    let query = rest.find('?').map(|q| (q, rest[q..].find('#').map_or(rest.len(), |h| q + h)));
    let has_secret = query.is_some_and(|(from, to)| rest[from + 1..to].split('&').any(is_secret));
    if at.is_none() && !has_secret {
        return Cow::Borrowed(url);
    }
    let mut out = String::with_capacity(url.len());
    out.push_str(&url[..authority_start]);
    let after_user = at.map_or(0, |at| {
        out.push_str(MASK);
        at
    });
    match query {
        Some((from, to)) => {
            out.push_str(&rest[after_user..=from]);
            for (index, parameter) in rest[from + 1..to].split('&').enumerate() {
                if index > 0 {
                    out.push('&');
                }
                match parameter.split_once('=') {
                    Some((name, _)) if is_secret(parameter) => {
                        out.push_str(name);
                        out.push('=');
                        out.push_str(MASK);
                    }
                    _ => out.push_str(parameter),
                }
            }
            out.push_str(&rest[to..]);
        }
        None => out.push_str(&rest[after_user..]),
    }
    Cow::Owned(out)
}

/// Masks every URL that stands inside a longer text, such as a library's error message.
pub fn text(text: &str) -> String {
    const ENDS: [char; 8] = [' ', '(', ')', '"', '\'', '<', '>', '\n'];
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(ENDS) {
        let word = part.strip_suffix(ENDS).unwrap_or(part);
        out.push_str(&url(word));
        out.push_str(&part[word.len()..]);
    }
    out
}

fn is_secret(parameter: &str) -> bool {
    parameter
        .split_once('=')
        .is_some_and(|(name, _)| SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_credentials_and_nothing_else() {
        for (given, shown) in [
            ("https://h/a.jpg?w=10&q=2#f", "https://h/a.jpg?w=10&q=2#f"),
            ("/plain/path?key=1", "/plain/path?key=1"),
            ("https://user:pass@h/a.jpg", "https://***@h/a.jpg"),
            ("https://h/a?X-Amz-Signature=abc&w=1", "https://h/a?X-Amz-Signature=***&w=1"),
            ("https://u@h/a?Sig=abc#x", "https://***@h/a?Sig=***#x"),
            ("https://h/@user/a.jpg", "https://h/@user/a.jpg"),
            ("http://me:hun/ter2@h:1/x", "http://***@h:1/x"),
            ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
            ("s3://bucket/key", "s3://bucket/key"),
            ("http://h/\u{1b}[31m", "http://h/\\u{1b}[31m"),
        ] {
            assert_eq!(url(given), shown);
        }
        assert_eq!(
            text("error for url (https://u:p@h/?token=x): refused"),
            "error for url (https://***@h/?token=***): refused"
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_never_shows_a_token(host in "[a-z]{1,8}", secret in "[A-Z0-9]{12}", tail in ".{0,20}") {
            let shown = url(&format!("https://{host}/x?token={secret}&{tail}")).into_owned();
            proptest::prop_assert!(!shown.contains(&secret) || tail.contains(&secret));
            let _ = text(&tail);
            let _ = url(&tail).into_owned();
        }
    }
}
