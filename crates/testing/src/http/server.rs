//! The server's handle: routes, counts, and the thread that serves until the handle is dropped.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::record::{Entry, Exchange, Record};
use super::{Answer, Behaviour, Request, connection, directory};

type Fallback = dyn Fn(&Request) -> Option<Behaviour> + Send + Sync;

/// A server on a loopback port of its own. It runs on its own thread, so it serves tests that are async,
/// tests that are not, and programs that a test starts. Dropping it closes every connection.
pub struct TestServer {
    address: SocketAddr,
    routes: Routes,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Starts on a free port with no routes: everything is 404.
    pub fn start() -> Self {
        Self::start_on(0).expect("a free port on 127.0.0.1")
    }

    /// Starts on a given port of 127.0.0.1; 0 takes a free one.
    pub fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let routes = Routes::default();
        let (stop, stopped) = oneshot::channel();
        let served = routes.clone();
        let thread = std::thread::Builder::new()
            .name("test web server".to_owned())
            .spawn(move || serve_until(stopped, listener, served))?;
        Ok(Self { address, routes, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets what a path does from now on. The path is matched as it is sent, percent-escapes and all,
    /// without the query; a route set again starts its sequence anew.
    pub fn route(&self, path: &str, behaviour: impl Into<Behaviour>) {
        let route = Route { behaviour: Arc::new(behaviour.into()), served: 0 };
        self.routes.table.lock().unwrap().exact.insert(path.to_owned(), route);
    }

    /// Redirects every path of the list to the next, and the last to the first.
    pub fn redirect_loop(&self, paths: &[&str]) {
        for (path, next) in paths.iter().zip(paths.iter().cycle().skip(1)) {
            self.route(path, Answer::redirect(next));
        }
    }

    /// What to do for paths that have no route; 404 where it gives nothing.
    pub fn fallback(&self, answer: impl Fn(&Request) -> Option<Behaviour> + Send + Sync + 'static) {
        self.routes.table.lock().unwrap().fallback = Some(Arc::new(answer));
    }

    /// Serves the files of a directory, with ETag and Last-Modified, for paths that have no route.
    pub fn serve_directory(&self, root: impl Into<PathBuf>) {
        let root = root.into();
        self.fallback(move |request| directory::file_answer(&root, request).map(Into::into));
    }

    /// Everything asked so far, in order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.routes.record.exchanges()
    }

    /// Requests for a path, of any method.
    pub fn hits(&self, path: &str) -> usize {
        self.routes.record.count(|exchange| exchange.request.path == path)
    }

    /// Answers to a path that carried a body, whole or in part.
    pub fn bodies(&self, path: &str) -> usize {
        self.routes.record.count(|exchange| exchange.request.path == path && exchange.body_bytes > 0)
    }

    /// Requests for any path.
    pub fn total_hits(&self) -> usize {
        self.routes.record.count(|_| true)
    }

    /// Answers of any path that carried a body.
    pub fn total_bodies(&self) -> usize {
        self.routes.record.count(|exchange| exchange.body_bytes > 0)
    }

    /// Waits until nothing has been asked or answered for a while: what a killed client had asked for is
    /// still counted when its answer is sent, and must not be taken for a request of the next client.
    pub fn wait_until_quiet(&self) {
        let quiet_for = Duration::from_millis(100);
        let mut seen = (self.total_hits(), Instant::now());
        while seen.1.elapsed() < quiet_for {
            std::thread::sleep(Duration::from_millis(5));
            let hits = self.total_hits();
            if hits != seen.0 || self.routes.record.open_now() > 0 {
                seen = (hits, Instant::now());
            }
        }
    }

    /// The most requests that were being answered at one moment.
    pub fn most_at_once(&self) -> usize {
        self.routes.record.most_at_once()
    }

    /// The same, counting one path only.
    pub fn most_at_once_on(&self, path: &str) -> usize {
        self.routes.record.most_at_once_on(path)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Accepts connections until the handle is dropped; the runtime's end closes those that are open.
fn serve_until(stopped: oneshot::Receiver<()>, listener: TcpListener, routes: Routes) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
        let accept = async {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection::serve(stream, routes.clone()));
                }
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

/// What to do for which path, and the count of what was done.
#[derive(Clone, Default)]
pub(super) struct Routes {
    table: Arc<Mutex<Table>>,
    record: Record,
}

#[derive(Default)]
struct Table {
    exact: HashMap<String, Route>,
    fallback: Option<Arc<Fallback>>,
}

struct Route {
    behaviour: Arc<Behaviour>,
    served: usize,
}

impl Routes {
    /// Enters a request in the record and says what to do with it.
    pub fn admit(&self, request: &Request) -> (Entry, Behaviour) {
        let entry = self.record.open(request.clone());
        let mut table = self.table.lock().unwrap();
        if let Some(route) = table.exact.get_mut(&request.path) {
            route.served += 1;
            return (entry, route.behaviour.step(route.served - 1).clone());
        }
        let fallback = table.fallback.clone();
        // The test's own code runs without the lock: it may well set a route.
        drop(table);
        let behaviour = fallback.and_then(|answer| answer(request));
        (entry, behaviour.unwrap_or_else(|| Answer::status(404).into()).step(0).clone())
    }
}
