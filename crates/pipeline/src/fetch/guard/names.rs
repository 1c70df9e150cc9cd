//! Names looked up for a connection, and the addresses checked that it will go to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Guard;

/// Who knows the addresses of names.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses of `name`.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's own resolver.
pub(super) struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// What a guarded client resolves names by. It is asked once for a connection, which goes to what it answers.
pub(super) struct GuardedNames {
    pub guard: Arc<Guard>,
    pub names: Arc<dyn Names>,
}

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, names) = (Arc::clone(&self.guard), Arc::clone(&self.names));
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            let admitted = guard.admit(name.as_str(), found)?;
            // Port 0 stands for the URL's.
            Ok(Box::new(admitted.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
