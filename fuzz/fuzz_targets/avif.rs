//! AVIF bytes through probing and deriving.
#![no_main]

use imgmill_fuzz::derives;
use imgmill_image::SourceFormat;

libfuzzer_sys::fuzz_target!(|source: &[u8]| -> libfuzzer_sys::Corpus { derives(SourceFormat::Avif, source) });
