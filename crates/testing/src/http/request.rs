//! Reads one request from a connection: the head by `httparse`, and a body where a length announces one.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A head longer than this is not a test's client but a mistake.
const LONGEST_HEAD: usize = 64 * 1024;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `HEAD`, `POST` …
    pub method: String,
    /// The path as sent, still percent-encoded, without the query.
    pub path: String,
    /// What follows the `?`, if anything does.
    pub query: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Empty for nearly every request.
    pub body: Vec<u8>,
    pub(super) keeps_alive: bool,
}

impl Request {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The path with its percent-escapes undone, or nothing where they are not UTF-8.
    pub fn decoded_path(&self) -> Option<String> {
        let mut decoded = Vec::with_capacity(self.path.len());
        let mut rest = self.path.as_bytes();
        while let Some((first, others)) = rest.split_first() {
            let escape = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) if *first == b'%' => {
                    decoded.push(byte);
                    rest = &others[2..];
                }
                _ => {
                    decoded.push(*first);
                    rest = others;
                }
            }
        }
        String::from_utf8(decoded).ok()
    }
}

/// The next request on a connection, or nothing where the client has gone or talks nonsense. `unread`
/// keeps what came after it.
pub(super) async fn read_request(
    connection: &mut (impl AsyncRead + Unpin),
    unread: &mut Vec<u8>,
) -> Option<Request> {
    let (mut request, head_length) = loop {
        match parse_head(unread) {
            Ok(Some(parsed)) => break parsed,
            Ok(None) if unread.len() < LONGEST_HEAD => {}
            _ => return None,
        }
        if connection.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    };
    unread.drain(..head_length);
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while unread.len() < length {
        if connection.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
    request.body = unread.drain(..length).collect();
    Some(request)
}

/// The head and its length in bytes, or nothing while it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_length) = parsed.parse(bytes)? else { return Ok(None) };
    let target = parsed.path.unwrap_or("/");
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let asks_to_close = headers
        .iter()
        .any(|(name, value)| name == "connection" && value.to_ascii_lowercase().contains("close"));
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query,
        headers,
        body: Vec::new(),
        keeps_alive: parsed.version == Some(1) && !asks_to_close,
    };
    Ok(Some((request, head_length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_requests_one_after_another_from_one_connection() {
        let mut wire: &[u8] =
            b"POST /a%20b?c=d HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyzGET / HTTP/1.0\r\n\r\n";
        let mut unread = Vec::new();
        let first = read_request(&mut wire, &mut unread).await.unwrap();
        assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/a%20b"));
        assert_eq!((first.query.as_deref(), first.body.as_slice()), (Some("c=d"), &b"xyz"[..]));
        assert_eq!(first.decoded_path().as_deref(), Some("/a b"));
        assert!(first.keeps_alive);
        let second = read_request(&mut wire, &mut unread).await.unwrap();
        assert!(second.method == "GET" && !second.keeps_alive);
        assert!(read_request(&mut wire, &mut unread).await.is_none());
    }
}
