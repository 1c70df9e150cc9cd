//! Keys of a store as they come in a URL's path: decoded, and refused where they could lead elsewhere.

use percent_encoding::percent_decode_str;

/// Parts of a key from path segments that are still encoded, or one segment with encoded slashes in it. `None` where a
/// part is empty, hidden, or has another meaning to a file system than its name.
pub(crate) fn of_segments<'a>(segments: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let decoded: Result<Vec<_>, _> =
        segments.into_iter().map(|segment| percent_decode_str(segment).decode_utf8()).collect();
    let key = decoded.ok()?.join("/");
    let is_plain = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']) && part.len() <= 255
    };
    (key.len() <= 1024 && key.split('/').all(is_plain)).then_some(key)
}

/// A key as one segment of a path, its slashes encoded: an identifier by the Image API.
pub(crate) fn as_identifier(key: &str) -> String {
    encoded(key, false)
}

/// A key as segments of a path.
pub(crate) fn as_path(key: &str) -> String {
    encoded(key, true)
}

fn encoded(key: &str, slashes: bool) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        b'/' if slashes => "/".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    key.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_leads_out_of_the_store() {
        for bad in
            ["", "..", ".", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%2F..%2Fb", "a%2F%2Fb", "%00", "a%5Cb"]
        {
            assert_eq!(of_segments([bad]), None, "{bad}");
        }
        for bad in ["/etc/passwd", "a//b", ".imgmill/by-url", "a/.hidden", "%ff"] {
            assert_eq!(of_segments(bad.split('/')), None, "{bad}");
        }
        assert_eq!(of_segments(["a%2Fb%20c.tif"]).as_deref(), Some("a/b c.tif"));
        assert_eq!(of_segments(["tiles", "page", "full", "max"]).as_deref(), Some("tiles/page/full/max"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in proptest::collection::vec("[^./\\\\\0][^/\\\\\0]{0,20}", 1..4)) {
            let key = parts.join("/");
            prop_assert_eq!(of_segments([as_identifier(&key).as_str()]), Some(key.clone()));
            prop_assert_eq!(of_segments(as_path(&key).split('/')), Some(key));
        }

        #[test]
        fn whatever_is_asked_for_stays_below(text in "\\PC{0,60}") {
            if let Some(key) = of_segments(text.split('/')) {
                prop_assert!(!key.starts_with('/') && key.split('/').all(|part| part != ".." && part != "."));
            }
        }
    }
}
