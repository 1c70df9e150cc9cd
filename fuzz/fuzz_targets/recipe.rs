//! Texts through the recipe grammar: what is understood is spelled so that it is understood alike.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| imgmill_fuzz::round_trips(text));
