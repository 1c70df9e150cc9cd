//! The S3 server of the tests as a program: `imgmill-s3 BUCKET…` serves these buckets on a loopback port until its
//! standard input closes, and prints where they are as one line of JSON: endpoint, keys, and the folder with a folder
//! for each bucket, in which objects are files.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use imgmill_testing::s3::S3Server;

fn main() -> ExitCode {
    let buckets: Vec<String> = std::env::args().skip(1).collect();
    if buckets.is_empty() {
        eprintln!("usage: imgmill-s3 BUCKET…");
        return ExitCode::from(2);
    }
    let builder = buckets.iter().fold(S3Server::builder(), |builder, name| builder.bucket(name));
    let server = builder.start();
    let folder = server.object_file(&buckets[0], "").parent().map(|root| root.display().to_string());
    let line = format!(
        "{{\"endpoint\": {:?}, \"access_key\": {:?}, \"secret_key\": {:?}, \"folder\": {:?}}}",
        server.endpoint(),
        server.access_key(),
        server.secret_key(),
        folder.unwrap_or_default()
    );
    let mut output = io::stdout();
    if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    let mut ignored = [0; 1024];
    while io::stdin().read(&mut ignored).is_ok_and(|length| length > 0) {}
    ExitCode::SUCCESS
}
