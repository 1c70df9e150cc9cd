//! Command lines in Go's style, as go-iiif's tools take them: `-flag value`, `-flag=value`, and the same with two dashes;
//! a switch takes no value unless behind `=`; the first word that is no flag ends them, and so does `--`.
//!
//! A flag that was not typed is looked for in the environment, where its name is in upper case with `_` for `-`, behind
//! a prefix. What flags mean is the tools' own business.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// A flag that a tool has.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    pub name: &'static str,
    pub kind: Kind,
    /// A sentence for `-help`.
    pub help: &'static str,
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value; the last one typed counts.
    Text,
    /// True, unless it says otherwise.
    Switch,
    /// A value each time that it is typed. In the environment they are separated by commas.
    List,
}

/// What was typed, or found in the environment.
#[derive(Debug, Default)]
pub struct Parsed {
    values: HashMap<&'static str, Vec<String>>,
    /// What of it was not typed.
    found: HashSet<&'static str>,
    /// What came after the flags.
    pub rest: Vec<String>,
}

/// Why there is nothing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Help was asked for.
    Help,
    /// A sentence that says what is wrong.
    Wrong(String),
}

/// Reads a command line, without the program's name.
pub fn parse(
    flags: &[Flag],
    words: impl IntoIterator<Item = String>,
    prefix: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Parsed, Stop> {
    let mut parsed = Parsed::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|_| word != "-")
        else {
            parsed.rest.push(word);
            break;
        };
        if word == "--" {
            break;
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
            return Err(match name {
                "h" | "help" => Stop::Help,
                _ => Stop::Wrong(format!("flag provided but not defined: -{name}")),
            });
        };
        let value = match (flag.kind, value) {
            (Kind::Switch, None) => "true".to_owned(),
            (_, Some(value)) => value,
            (_, None) => {
                words.next().ok_or_else(|| Stop::Wrong(format!("flag needs an argument: -{name}")))?
            }
        };
        parsed.add(flag, value)?;
    }
    parsed.rest.extend(words);
    for flag in flags.iter().filter(|flag| !parsed.values.contains_key(flag.name)).collect::<Vec<_>>() {
        let variable = format!("{prefix}{}", flag.name.to_uppercase().replace('-', "_"));
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else { continue };
        parsed.found.insert(flag.name);
        match flag.kind {
            Kind::List => value.split(',').try_for_each(|part| parsed.add(flag, part.trim().to_owned()))?,
            Kind::Text | Kind::Switch => parsed.add(flag, value)?,
        }
    }
    Ok(parsed)
}

impl Parsed {
    fn add(&mut self, flag: &Flag, value: String) -> Result<(), Stop> {
        if flag.kind == Kind::Switch && truth(&value).is_none() {
            return Err(Stop::Wrong(format!("invalid boolean value {value:?} for -{}", flag.name)));
        }
        self.values.entry(flag.name).or_default().push(value);
        Ok(())
    }

    /// The value of a flag, if it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    /// All values of a list, and then all words that are no flags. Of a list that was not typed nothing counts where
    /// there are such words.
    pub fn list_and_rest(&self, name: &str) -> impl Iterator<Item = &String> {
        let replaced = self.found.contains(name) && !self.rest.is_empty();
        let listed = self.values.get(name).filter(|_| !replaced);
        listed.into_iter().flatten().chain(&self.rest)
    }

    /// All values of a list.
    #[cfg_attr(not(feature = "fleet"), allow(dead_code, reason = "only fleets have lists"))]
    pub fn list(&self, name: &str) -> Vec<String> {
        self.values.get(name).cloned().unwrap_or_default()
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name).and_then(truth).unwrap_or(false)
    }
}

/// What Go's `strconv.ParseBool` takes.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// What `-help` prints: all flags by name.
pub fn usage(tool: &str, what: &str, flags: &[Flag]) -> String {
    let mut text = format!("{what}\nUsage of {tool}:\n");
    let mut sorted: Vec<_> = flags.iter().collect();
    sorted.sort_by_key(|flag| flag.name);
    for flag in sorted {
        let value = if flag.kind == Kind::Switch { "" } else { " value" };
        // Writing to a string does not fail.
        let _ = write!(text, "  -{}{value}\n    \t{}\n", flag.name, flag.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [Flag; 3] = [
        Flag { name: "mode", kind: Kind::Text, help: "How." },
        Flag { name: "no-extension", kind: Kind::Switch, help: "Without." },
        Flag { name: "uri", kind: Kind::List, help: "What." },
    ];

    fn parsed(line: &str) -> Result<Parsed, Stop> {
        let environment = |name: &str| match name {
            "IIIF_URI" => Some("x,y".to_owned()),
            "IIIF_NO_EXTENSION" => Some("1".to_owned()),
            _ => None,
        };
        parse(&FLAGS, line.split_whitespace().map(str::to_owned), "IIIF_", environment)
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        for line in ["-mode csv a -b", "--mode csv a -b", "-mode=csv a -b", "--mode=x -mode=csv -- a -b"] {
            let found = parsed(line).unwrap();
            assert_eq!((found.text("mode"), &found.rest[..]), (Some("csv"), &["a".into(), "-b".into()][..]));
        }
        let found = parsed("-uri a --uri=b,c -no-extension=false -").unwrap();
        assert_eq!(found.values["uri"], ["a", "b,c"]);
        assert!(!found.is_on("no-extension"));
        assert_eq!(found.rest, ["-"]);
        assert!(parsed("-no-extension false").unwrap().rest == ["false"]);
    }

    #[test]
    fn what_was_not_typed_is_in_the_environment() {
        let found = parsed("-mode csv").unwrap();
        assert_eq!(found.values["uri"], ["x", "y"]);
        assert!(found.is_on("no-extension"));
        assert_eq!(found.text("other"), None);
        assert_eq!(found.list_and_rest("uri").collect::<Vec<_>>(), ["x", "y"]);
        let typed = |line: &str| parsed(line).unwrap().list_and_rest("uri").cloned().collect::<Vec<_>>();
        assert_eq!(typed("z"), ["z"], "what is typed wins");
        assert_eq!(typed("-uri a -uri b c"), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_wrong_is_said_as_go_says_it() {
        let wrong = |line: &str| match parsed(line) {
            Err(Stop::Wrong(message)) => message,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(wrong("-what"), "flag provided but not defined: -what");
        assert_eq!(wrong("-mode"), "flag needs an argument: -mode");
        assert!(wrong("-no-extension=maybe").contains("invalid boolean value"));
        assert_eq!(parsed("-mode x -help").unwrap_err(), Stop::Help);
    }
}
