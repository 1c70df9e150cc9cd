//! What proves to a postback's receiver that it came from here: `t=UNIX,v1=HEX` over time and body.
//!
//! The key is not the one in the body, which everybody sees who sees a body. The time lets receivers refuse old ones.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use imgmill_pipeline::identity::hex;
use sha2::Sha256;

/// The header that carries it.
pub const HEADER: &str = "x-imgmill-signature";

/// The header's value for a body that is sent at `time`.
pub fn sign(key: &[u8], time: SystemTime, body: &str) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("t={seconds},v1={}", hex(&digest(key, &format!("{seconds}.{body}"))))
}

/// HMAC takes keys of any length, so this is never refused.
fn digest(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn is_what_other_tools_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(
            sign(b"key", at, "{\"a\":1}"),
            "t=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
        );
        assert_ne!(sign(b"key", at, "{}"), sign(b"other", at, "{}"));
    }
}
