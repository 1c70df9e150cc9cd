//! Who is answered: requests that name this server by an address, by `localhost` or by a name that it was told.
//!
//! A page of a stranger can have its own name resolve to 127.0.0.1 and then ask this server as if it were its own (DNS
//! rebinding); the Host header still says that name. An address cannot be rebound.

use std::net::IpAddr;

/// The names of this server.
#[derive(Debug)]
pub(super) struct Access {
    /// The URL that it is reached at from outside, if it is another than it seems here.
    pub base: Option<String>,
    /// Names besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

impl Access {
    /// The URL that this server is called by in answers to a request with this Host; `None` if it is called by a name
    /// that is not its own.
    pub(super) fn base_for(&self, host: &str) -> Option<String> {
        if !self.is_ours(host) {
            return None;
        }
        Some(self.base.clone().unwrap_or_else(|| format!("http://{host}")))
    }

    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => return address.parse::<IpAddr>().is_ok() && is_port(port),
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let known = |other: &str| other.eq_ignore_ascii_case(name);
        let in_base = || {
            let base = self.base.as_deref().and_then(|base| url::Url::parse(base).ok());
            base.and_then(|base| base.host_str().map(known)).unwrap_or(false)
        };
        is_port(port)
            && (name.parse::<IpAddr>().is_ok()
                || known("localhost")
                || self.hosts.iter().any(|host| known(host))
                || in_base())
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_of_its_own_are_answered() {
        let access =
            Access { base: Some("https://images.example.org/view".into()), hosts: vec!["atlas".into()] };
        let good = ["localhost:8182", "127.0.0.1", "[::1]:80", "192.168.1.4:8182", "Atlas:8182"];
        for host in good.into_iter().chain(["LOCALHOST", "images.example.org"]) {
            assert!(access.is_ours(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "atlas:x"] {
            assert!(!access.is_ours(host), "{host}");
        }
        for host in ["localhost:8182@evil.example", "[::1", "[evil]", "127.0.0.1:1:2"] {
            assert!(!access.is_ours(host), "{host}");
        }
    }

    #[test]
    fn answers_call_it_as_it_was_called() {
        let plain = Access { base: None, hosts: Vec::new() };
        assert_eq!(plain.base_for("127.0.0.1:8182").as_deref(), Some("http://127.0.0.1:8182"));
        assert_eq!(plain.base_for("evil.example"), None);
    }
}
