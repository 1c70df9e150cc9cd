//! Stands before moto and does what AWS does and moto does not: throttles, refuses, and has containers end with a code.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What is done with a request to one operation.
#[derive(Clone)]
pub enum Fault {
    /// So many are throttled, then they go through.
    Throttle(u32),
    /// All are refused.
    Deny,
    /// The answer has other words in it.
    Say(Vec<(&'static str, String)>),
    /// Only one is passed on at a time, of all operations with the same lock.
    InTurn(Arc<Mutex<()>>),
}

/// The proxy. It ends with the test.
pub struct Proxy {
    address: String,
    faults: Arc<Mutex<Vec<(&'static str, Fault)>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Before moto, which is at `target`: `http://host:port`.
    pub fn before(target: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let target = target.trim_start_matches("http://").to_owned();
        let (faults, seen) = (Arc::default(), Arc::default());
        let proxy = Proxy { address, faults: Arc::clone(&faults), seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (target, faults, seen) = (target.clone(), Arc::clone(&faults), Arc::clone(&seen));
                std::thread::spawn(move || {
                    // A client that has gone is no failure of the test.
                    let _ = pass_on(stream, &target, &faults, &seen);
                });
            }
        });
        proxy
    }

    pub fn endpoint(&self) -> &str {
        &self.address
    }

    /// From now on.
    pub fn fault(self, operation: &'static str, fault: Fault) -> Proxy {
        self.faults.lock().unwrap().push((operation, fault));
        self
    }

    /// moto's queues are not made for several threads: of two that receive at once both may get a message, which no queue of
    /// AWS's does but by the rules.
    pub fn one_receive_at_a_time(mut self) -> Proxy {
        let turn = Arc::default();
        for operation in [
            "ReceiveMessage",
            "DeleteMessage",
            "DeleteMessageBatch",
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
        ] {
            self = self.fault(operation, Fault::InTurn(Arc::clone(&turn)));
        }
        self
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| *seen == operation).count()
    }
}

fn pass_on(
    mut client: TcpStream,
    target: &str,
    faults: &Mutex<Vec<(&'static str, Fault)>>,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (head, body) = read_message(&mut client)?;
    // X-Amz-Target: AmazonEC2ContainerServiceV20141113.DescribeTasks
    let operation =
        header(&head, "x-amz-target").and_then(|target| target.rsplit('.').next().map(str::to_owned));
    let operation = operation.unwrap_or_default();
    seen.lock().unwrap().push(operation.clone());
    let (mut words, mut turn) = (Vec::new(), None);
    for (of, fault) in faults.lock().unwrap().iter_mut().filter(|(of, _)| *of == operation) {
        let _ = of;
        match fault {
            Fault::Throttle(0) => {}
            Fault::Throttle(left) => {
                *left -= 1;
                return answer(&mut client, "ThrottlingException", "Rate exceeded");
            }
            Fault::Deny => {
                let message = format!(
                    "User: arn:aws:iam::123456789012:user/x is not authorized to perform: {operation}"
                );
                return answer(&mut client, "AccessDeniedException", &message);
            }
            Fault::Say(more) => words.extend(more.clone()),
            Fault::InTurn(lock) => turn = Some(Arc::clone(lock)),
        }
    }
    let _turn = turn.as_ref().map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
    let mut server = TcpStream::connect(target)?;
    let lines: Vec<&str> =
        head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).collect();
    server.write_all(format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")).as_bytes())?;
    server.write_all(&body)?;
    let mut whole = Vec::new();
    server.read_to_end(&mut whole)?;
    if words.is_empty() {
        client.write_all(&whole)?;
    } else {
        let text = String::from_utf8_lossy(&whole).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let body = words.iter().fold(body.to_owned(), |body, (from, to)| body.replace(from, to));
        let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
        let head = kept.collect::<Vec<_>>().join("\r\n");
        client.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    }
    client.shutdown(Shutdown::Both)
}

fn answer(client: &mut TcpStream, kind: &str, message: &str) -> std::io::Result<()> {
    let body = serde_json::json!({ "__type": kind, "message": message }).to_string();
    let length = body.len();
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close";
    client.write_all(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())?;
    client.shutdown(Shutdown::Both)
}

fn read_message(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut block)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&block[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while body.len() < length {
        match stream.read(&mut block)? {
            0 => break,
            read => body.extend_from_slice(&block[..read]),
        }
    }
    Ok((head, body))
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
