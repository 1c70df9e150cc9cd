//! A web server for tests that behaves as badly as it is told to. It is written over plain TCP, since a
//! proper HTTP library refuses to send most of what it must send: bodies that stop short, lie about their
//! length, never end or never begin.
//!
//! ```
//! use imgmill_testing::http::{Answer, Behaviour, TestServer};
//!
//! let server = TestServer::start();
//! server.route("/a.jpg", Answer::ok(b"pixels").content_type("image/jpeg").etag("\"v1\""));
//! server.route("/b.jpg", Behaviour::sequence([Answer::status(500), Answer::ok(b"pixels")]));
//! assert!(server.url("/a.jpg").starts_with("http://127.0.0.1:"));
//! assert_eq!(server.hits("/a.jpg"), 0);
//! ```

mod answer;
mod behaviour;
mod connection;
mod directory;
mod record;
mod request;
mod server;

pub use answer::Answer;
pub use behaviour::Behaviour;
pub use record::Exchange;
pub use request::Request;
pub use server::TestServer;
