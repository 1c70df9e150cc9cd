//! JPEG bytes through the path that copies luma, coefficient for coefficient.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &[u8]| -> libfuzzer_sys::Corpus { imgmill_fuzz::copies_luma(source) });
