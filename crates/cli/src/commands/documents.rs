//! Completion scripts and the manual page, from the same definitions as `--help`.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::args::Arguments;
use crate::exit::Exit;

/// Prints a shell's completion script.
pub fn completions(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "imgmill", &mut script);
    print(&script)
}

/// Prints the manual page, the commands' sections after the program's.
pub fn man() -> Exit {
    let mut page = Vec::new();
    let command = Arguments::command();
    let mut rendered = clap_mangen::Man::new(command.clone()).render(&mut page);
    for sub in command.get_subcommands() {
        let sub = sub.clone().display_name(format!("imgmill {}", sub.get_name()));
        let man = clap_mangen::Man::new(sub);
        rendered = rendered
            .and_then(|()| man.render_synopsis_section(&mut page))
            .and_then(|()| man.render_description_section(&mut page))
            .and_then(|()| man.render_options_section(&mut page));
    }
    match rendered {
        Ok(()) => print(&page),
        Err(_) => Exit::Fatal,
    }
}

fn print(bytes: &[u8]) -> Exit {
    match std::io::stdout().write_all(bytes) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Fatal,
    }
}
