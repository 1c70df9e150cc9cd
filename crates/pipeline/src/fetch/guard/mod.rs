//! The network guard: where requests for strangers may go, so that nobody can use this program to reach what only this
//! machine can reach.
//!
//! What is typed into a URL is checked before the request and on every redirect: scheme, port, an address in the place
//! of a name. A name is checked by what it resolves to at the moment of connecting, and the connection goes to the very
//! addresses that were checked, so an answer that changes afterwards changes nothing. A proxy would skip all of that, so
//! none is used. Downloads and postbacks share one guard.

mod address;
mod names;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::{ClientBuilder, redirect};
use url::{Host, Url};

use address::Class;
pub use names::Names;
use names::{GuardedNames, SystemNames};

/// The ports that a web server for everybody listens on.
const PUBLIC_PORTS: [u16; 2] = [80, 443];

/// Where requests may go.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// Wherever the URL says: its author is the one who runs the program.
    #[default]
    Open,
    /// Only where the guard lets them: the URL came from somebody else.
    Guarded(Arc<Guard>),
}

/// What is let through besides `http` and `https` to public addresses at ports 80 and 443.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Hosts whose addresses may be anything.
    pub hosts: Vec<AllowedHost>,
    /// Ports of any host.
    pub ports: Vec<u16>,
    /// Any address, at any port.
    pub private_network: bool,
}

/// A host that is trusted: its addresses may be anything. With a port, that one is open, and where the host is an address it
/// is trusted at no other; a name is at 80 and 443 as well, since who looks a name up does not know the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    host: String,
    port: Option<u16>,
}

/// Decides for each request whether it may be made.
#[derive(Debug)]
pub struct Guard {
    allowed: Allowed,
}

/// Why a request may not be made; in a client's error it is found again by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl FromStr for AllowedHost {
    type Err = String;

    /// `HOST` or `HOST:PORT`, in the spelling that URLs are compared in.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not HOST or HOST:PORT");
        let parsed = Url::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
        let plain = parsed.path() == "/" && parsed.username().is_empty() && parsed.query().is_none();
        let host = parsed.host_str().filter(|_| plain).ok_or_else(wrong)?;
        // Port 80 is the default of http and so is not told apart from no port: which is right, it is open anyway.
        Ok(AllowedHost { host: host.trim_end_matches('.').to_owned(), port: parsed.port() })
    }
}

impl Network {
    /// Guarded, but for what is `allowed`.
    pub fn guarded(allowed: Allowed) -> Self {
        Network::Guarded(Arc::new(Guard { allowed }))
    }

    /// Checks what can be checked before a name is looked up.
    ///
    /// # Errors
    /// Why the URL is refused.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        match self {
            Network::Open => Ok(()),
            Network::Guarded(guard) => guard.check(url),
        }
    }

    /// Sets up a client whose connections are checked. Redirects have a policy of their own:
    /// [`redirects`](Self::redirects).
    pub fn set_up(&self, client: ClientBuilder) -> ClientBuilder {
        self.set_up_with(client, Arc::new(SystemNames))
    }

    /// As [`set_up`](Self::set_up), with names looked up otherwise than the system does.
    pub fn set_up_with(&self, client: ClientBuilder, names: Arc<dyn Names>) -> ClientBuilder {
        match self {
            Network::Open => client,
            Network::Guarded(guard) => {
                client.no_proxy().dns_resolver(GuardedNames { guard: Arc::clone(guard), names })
            }
        }
    }

    /// Follows at most this many redirects, each checked.
    pub fn redirects(&self, most: usize) -> redirect::Policy {
        let Network::Guarded(guard) = self else { return redirect::Policy::limited(most) };
        let (guard, limited) = (Arc::clone(guard), redirect::Policy::limited(most));
        redirect::Policy::custom(move |attempt| match guard.check(attempt.url()) {
            Ok(()) => limited.redirect(attempt),
            Err(Refusal(why)) => attempt.error(Refusal(format!("a redirect was refused: {why}"))),
        })
    }
}

impl Guard {
    fn check(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(Refusal(format!(
                "{scheme}: is not a scheme that messages may name; use http or https"
            )));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Refusal("the URL names no host".to_owned()));
        };
        if self.allowed.private_network {
            return Ok(());
        }
        let name = host.to_string();
        if !self.is_open(&name, port) {
            let ports = "only 80 and 443 are open (--allow-port opens others)";
            return Err(Refusal(format!("port {port} is not open to messages; {ports}")));
        }
        let literal = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
        };
        match Class::of(literal) {
            Class::Public => Ok(()),
            _ if self.entries(&name).any(|entry| entry.port.is_none_or(|open| open == port)) => Ok(()),
            class => Err(Refusal(format!("{literal} is {class}; messages may name public addresses only"))),
        }
    }

    /// The addresses of `name` that may be connected to.
    fn admit(&self, name: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refusal> {
        if self.allowed.private_network || self.trusts(name) {
            return Ok(found);
        }
        let refused = found.iter().map(|address| Class::of(*address)).find(|class| *class != Class::Public);
        let public: Vec<IpAddr> =
            found.into_iter().filter(|address| Class::of(*address) == Class::Public).collect();
        match refused {
            // The address itself stays here: a stranger who reads this learns nothing of our network.
            Some(class) if public.is_empty() => {
                Err(Refusal(format!("{name} resolves to {class}; messages may name public addresses only")))
            }
            _ => Ok(public),
        }
    }

    fn trusts(&self, name: &str) -> bool {
        self.entries(name).next().is_some()
    }

    fn is_open(&self, name: &str, port: u16) -> bool {
        PUBLIC_PORTS.contains(&port)
            || self.allowed.ports.contains(&port)
            || self.entries(name).any(|entry| entry.port == Some(port))
    }

    fn entries(&self, name: &str) -> impl Iterator<Item = &AllowedHost> {
        let name = name.trim_end_matches('.');
        self.allowed.hosts.iter().filter(move |entry| entry.host.eq_ignore_ascii_case(name))
    }
}

/// The refusal among an error's causes, if that is what it is about.
pub fn refusal<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Refusal> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(refusal);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests;
