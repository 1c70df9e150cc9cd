use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn guarded() -> Network {
    Network::guarded(Allowed::default())
}

fn allowing(hosts: &[&str]) -> Network {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    Network::guarded(Allowed { hosts, ..Allowed::default() })
}

fn why(network: &Network, url: &str) -> String {
    network
        .check(&Url::parse(url).unwrap())
        .map_or_else(|refusal| refusal.to_string(), |()| "open".to_owned())
}

#[test]
fn every_spelling_of_an_address_is_understood() {
    for (url, says) in [
        ("http://127.0.0.1/", "127.0.0.1 is a loopback address"),
        ("http://127.1/", "loopback"),
        ("http://0x7f000001/", "loopback"),
        ("http://0x7f.0.0.1/", "loopback"),
        ("http://2130706433/", "loopback"),
        ("http://0177.0.0.01/", "loopback"),
        ("http://127.0.0.1./", "loopback"),
        ("http://%31%32%37.0.0.1/", "loopback"),
        ("http://１２７.0.0.1/", "loopback"),
        ("http://[::1]/", "loopback"),
        ("http://[0:0:0:0:0:0:0:1]/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "loopback"),
        ("http://[::ffff:7f00:1]/", "loopback"),
        ("http://[::ffff:10.0.0.1]/", "private"),
        ("http://[64:ff9b::10.0.0.1]/", "private"),
        ("http://10.1.2.3/", "private"),
        ("http://172.31.0.1/", "private"),
        ("http://192.168.1.1/", "private"),
        ("http://100.64.0.1/", "private"),
        ("http://[fd12::1]/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://[::ffff:a9fe:a9fe]/", "metadata"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("http://168.63.129.16/", "metadata"),
        ("http://169.254.1.1/", "link-local"),
        ("http://[fe80::1]/", "link-local"),
        ("http://0.0.0.0/", "reserved"),
        ("http://[::]/", "reserved"),
        ("http://[::7f00:1]/", "reserved"),
        ("http://[2002:7f00:1::]/", "reserved"),
        ("http://[2001:0:1::1]/", "reserved"),
        ("http://224.0.0.1/", "reserved"),
        ("http://255.255.255.255/", "reserved"),
        ("http://93.184.216.34/a.jpg", "open"),
        ("https://[2606:2800:220:1::1]/a.jpg", "open"),
        ("http://[64:ff9b::93.184.216.34]/", "open"),
        ("https://user:pass@example.org/", "open"),
        ("http://example.org:443/", "open"),
        ("http://example.org:8080/", "port 8080 is not open"),
        ("http://example.org:22/", "port 22"),
        ("file:///etc/passwd", "file: is not a scheme"),
        ("gopher://example.org/", "gopher: is not a scheme"),
        ("s3://bucket/key", "s3: is not a scheme"),
    ] {
        let said = why(&guarded(), url);
        assert!(said.contains(says), "{url}: {said}");
    }
}

#[test]
fn what_is_meant_is_let_through() {
    let by_host = allowing(&["10.0.0.5", "images.internal:8080", "[::1]:9000"]);
    assert_eq!(why(&by_host, "http://10.0.0.5/"), "open");
    assert!(why(&by_host, "http://10.0.0.5:81/").contains("port 81"), "its port was not named");
    assert!(why(&by_host, "http://10.0.0.6/").contains("private"));
    assert_eq!(why(&by_host, "http://IMAGES.internal.:8080/"), "open");
    assert!(why(&by_host, "http://images.internal:8081/").contains("port"));
    assert_eq!(why(&by_host, "http://[::1]:9000/"), "open");
    assert!(why(&by_host, "http://[::1]/").contains("loopback"), "only the port that was named");
    let by_port = Network::guarded(Allowed { ports: vec![8080], ..Allowed::default() });
    assert_eq!(why(&by_port, "http://example.org:8080/"), "open");
    assert!(why(&by_port, "http://127.0.0.1:8080/").contains("loopback"));
    let anything = Network::guarded(Allowed { private_network: true, ..Allowed::default() });
    assert_eq!(why(&anything, "http://127.0.0.1:8080/"), "open");
    assert!(why(&anything, "file:///etc/passwd").contains("scheme"), "but for the scheme");
    for bad in ["", "a/b", "user@host", "host:99999", "http://host", "a?b"] {
        assert!(bad.parse::<AllowedHost>().is_err(), "{bad}");
    }
}

/// A resolver that gives one answer after another, the last for ever.
struct Answers(Mutex<VecDeque<&'static str>>);

impl Answers {
    fn new(answers: &[&'static str]) -> Arc<Self> {
        Arc::new(Answers(Mutex::new(answers.iter().copied().collect())))
    }
}

#[async_trait]
impl Names for Answers {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
        Ok(answer.split(' ').map(|address| address.parse().unwrap()).collect())
    }
}

/// A server that answers everything with a redirect to `to`, and how often it was asked.
async fn redirecting(to: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap_or(0);
            let line = String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned();
            seen.lock().unwrap().push(line);
            let to = to.replace("PORT", &port.to_string());
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, asked)
}

async fn ask(network: &Network, names: Arc<Answers>, url: &str) -> Result<u16, String> {
    let client = network.set_up_with(reqwest::Client::builder(), names);
    let client =
        client.redirect(network.redirects(5)).connect_timeout(Duration::from_millis(300)).build().unwrap();
    match client.get(url).send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(refusal(&error).map_or_else(|| "unreachable".to_owned(), ToString::to_string)),
    }
}

#[tokio::test]
async fn a_name_is_what_it_resolves_to_when_connecting() {
    let (port, asked) = redirecting("/again".to_owned()).await;
    let network = Network::guarded(Allowed { ports: vec![port], ..Allowed::default() });
    let url = format!("http://innocent.example:{port}/");
    // Of nobody's network, so the first connection comes to nothing; the name then turns to this machine.
    let names = Answers::new(&["3ffe:ffff::1", "127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1 192.168.0.1"]);
    let first = ask(&network, Arc::clone(&names), &url).await;
    assert_eq!(first, Err("unreachable".to_owned()), "the first answer is public, and nobody is there");
    for says in ["resolves to a loopback address", "resolves to a loopback", "resolves to a private"] {
        let refused = ask(&network, Arc::clone(&names), &url).await.unwrap_err();
        assert!(refused.contains(says), "{refused}");
        assert!(!refused.contains("127.0.0.1"), "a stranger is not told our addresses: {refused}");
    }
    assert_eq!(*asked.lock().unwrap(), [""; 0], "nothing came through");
}

#[tokio::test]
async fn every_redirect_is_checked() {
    for (to, says) in [
        (
            "http://169.254.169.254/latest/meta-data/",
            "a redirect was refused: 169.254.169.254 is a cloud's metadata",
        ),
        ("http://0x7f000001:PORT/", "a redirect was refused: 127.0.0.1 is a loopback"),
        ("http://inside.example:PORT/", "inside.example resolves to a loopback address"),
        ("ftp://example.org/", "ftp: is not a scheme"),
        ("http://example.org:25/", "port 25"),
    ] {
        let (port, asked) = redirecting(to.to_owned()).await;
        let hosts = vec![format!("outside.example:{port}").parse().unwrap()];
        let network = Network::guarded(Allowed { hosts, ports: vec![port], private_network: false });
        let url = format!("http://outside.example:{port}/picture.jpg");
        let refused = ask(&network, Answers::new(&["127.0.0.1"]), &url).await.unwrap_err();
        assert!(refused.contains(says), "{to}: {refused}");
        assert_eq!(asked.lock().unwrap().len(), 1, "only the allowed host was asked");
    }
}

#[test]
fn of_several_addresses_the_public_ones_are_taken() {
    let Network::Guarded(guard) = guarded() else { panic!() };
    let mixed = ["127.0.0.1", "93.184.216.34"].map(|address| address.parse::<IpAddr>().unwrap());
    assert_eq!(guard.admit("a", mixed.to_vec()).unwrap(), mixed[1..]);
}

proptest! {
    #[test]
    fn an_ipv4_address_is_the_same_in_every_spelling(number: u32) {
        let address = std::net::Ipv4Addr::from(number);
        let class = Class::of(address.into());
        prop_assert_eq!(Class::of(address.to_ipv6_mapped().into()), class);
        for url in [format!("http://{number}/"), format!("http://{number:#x}/"), format!("http://[::ffff:{address}]/")] {
            prop_assert_eq!(why(&guarded(), &url) == "open", class == Class::Public, "{}", url);
        }
    }
}
