//! What an object store's error means, in a sentence that says what to do.
//!
//! The library's own text is not passed on: it can hold the server's whole XML answer, with key ids and
//! the string that was signed.

use crate::error::{Error, Kind, Stage, is_disk_full};

/// Translates `error`, which happened while `doing` something ("storing a.jpg").
pub fn failure(stage: Stage, doing: &str, error: object_store::Error) -> Error {
    let text = whole_text(&error);
    if let Some(code) = between(&text, "<Code>", "</Code>")
        && let Some((kind, advice)) = known_code(code)
    {
        return Error::new(stage, kind, format!("{doing}: {advice} ({code})"));
    }
    if text.contains("Received redirect without LOCATION") {
        let message = format!("{doing}: the bucket is in another region; set AWS_REGION to the bucket's own");
        return Error::new(stage, Kind::Denied, message);
    }
    if let Some(io) = io_error(&error) {
        let (kind, what) = match io.kind() {
            _ if is_disk_full(io) => {
                (Kind::DiskFull, "the disk is full; free some space and run again".to_owned())
            }
            std::io::ErrorKind::PermissionDenied => (Kind::Denied, "no permission".to_owned()),
            std::io::ErrorKind::NotFound => (Kind::NotFound, "there is no such file".to_owned()),
            _ => (Kind::Io, io.to_string()),
        };
        return Error::new(stage, kind, format!("{doing}: {what}"));
    }
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => Error::new(stage, Kind::NotFound, format!("{doing}: there is no such object")),
        E::PermissionDenied { .. } => {
            let advice = "access denied; check the credentials (AWS_ACCESS_KEY_ID) and that they may list, read and write there";
            Error::new(stage, Kind::Denied, format!("{doing}: {advice}"))
        }
        E::Unauthenticated { .. } => {
            Error::new(stage, Kind::Denied, format!("{doing}: the credentials are not accepted"))
        }
        E::InvalidPath { .. } => {
            Error::new(stage, Kind::InvalidUrl, format!("{doing}: the key cannot be used as an object path"))
        }
        E::Generic { .. } => {
            Error::new(stage, Kind::Io, format!("{doing}: {}", brief(&text))).transient(true)
        }
        _ => Error::new(stage, Kind::Io, format!("{doing}: {}", brief(&text))),
    }
}

/// S3's error codes that a person can do something about.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn known_code(code: &str) -> Option<(Kind, &'static str)> {
    Some(match code {
        "NoSuchBucket" => {
            (Kind::NotFound, "there is no such bucket; check S3_BUCKET or --store, and AWS_REGION")
        }
        "NoSuchKey" => (Kind::NotFound, "there is no such object"),
        "AccessDenied" | "AllAccessDisabled" => (
            Kind::Denied,
            "access denied; the user or role needs s3:ListBucket on the bucket and s3:GetObject and s3:PutObject on its objects",
        ),
        "InvalidAccessKeyId" => (Kind::Denied, "the access key is not known there; check AWS_ACCESS_KEY_ID"),
        "SignatureDoesNotMatch" => (Kind::Denied, "the secret key is wrong; check AWS_SECRET_ACCESS_KEY"),
        "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => {
            (Kind::Denied, "the session token has ended; log in again or renew AWS_SESSION_TOKEN")
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            (Kind::Denied, "the bucket is in another region; set AWS_REGION to the bucket's own")
        }
        "RequestTimeTooSkewed" => (Kind::Denied, "this machine's clock is wrong; set it"),
        _ => return None,
    })
}

fn whole_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push('\n');
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn io_error(error: &object_store::Error) -> Option<&std::io::Error> {
    // Remote stores wrap I/O errors of the network; only a local store's say something about a disk.
    if !matches!(error, object_store::Error::Generic { store: "LocalFileSystem", .. }) {
        return None;
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}

/// The innermost line, without markup, short.
fn brief(text: &str) -> String {
    if let Some(code) = between(text, "<Code>", "</Code>") {
        return format!("the store answered {code}");
    }
    let line =
        text.lines().rev().find(|line| !line.trim().is_empty() && !line.contains('<')).unwrap_or("it failed");
    crate::redact::text(&line.chars().take(200).collect::<String>())
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let start = text.find(from)? + from.len();
    Some(&text[start..start + text[start..].find(to)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn says_what_to_do_and_no_secret() {
        let answer =
            "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>AWS4 SECRETISH</StringToSign></Error>";
        let error = failure(Stage::Store, "storing x", generic(answer));
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.chain().contains("AWS_SECRET_ACCESS_KEY") && !error.chain().contains("SECRETISH"));
        let other = failure(
            Stage::Store,
            "storing x",
            generic("<Error><Code>SlowDown</Code><K>SECRETISH</K></Error>"),
        );
        assert_eq!(other.chain(), "storing x: the store answered SlowDown");
        assert!(other.is_transient());
    }
}
