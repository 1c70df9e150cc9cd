//! `imgmill lambda`: a function of AWS Lambda. `IMGMILL_HANDLER` says what it does with events, and `IMGMILL_ARGUMENTS` has the
//! words that would be typed after the command that does the same on a machine.

#[cfg(feature = "lambda")]
mod function;

use imgmill_systems::lambda::Handler;

use crate::exit::Exit;

/// What Lambda's own environments start: a file of this name.
const BOOTSTRAP: &str = "bootstrap";

/// Whether a program of this name, with these words, is meant to be a function.
pub fn is_meant(program: &str, words: usize) -> bool {
    let name = std::path::Path::new(program).file_name();
    let by_name = name.is_some_and(|name| name == BOOTSTRAP);
    // The emulator of cargo-lambda starts programs by their own name.
    by_name || (words == 0 && std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some())
}

/// Answers events. What a tool names, with its flags, is done with them, whatever the environment says.
#[cfg(feature = "lambda")]
pub fn run(named: Option<(Handler, Vec<String>)>) -> Exit {
    function::run(named)
}

#[cfg(not(feature = "lambda"))]
pub fn run(_: Option<(Handler, Vec<String>)>) -> Exit {
    let message = "this build has no Lambda runtime; build it with: make build FEATURES=lambda";
    super::run::complain(message, Exit::Usage)
}
