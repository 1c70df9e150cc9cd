//! What the fuzz targets share: the promises that hold for every byte string.
//!
//! A decoder that panics on damaged bytes is shielded by the engine, and its panic becomes an error: that is no
//! finding. A panic in the engine's own code is one even behind the shield.

use std::panic::PanicHookInfo;
use std::sync::Once;

use imgmill_image::{
    Derivative, Edition, Header, Limits, Recipe, Rendition, Request, SourceFormat, derive, memory_need,
    probe, sniff,
};
use libfuzzer_sys::Corpus;

/// Small, so that an input costs little, and so that whatever allocates far more than these pixels take does so
/// before it has looked at the limits: the fuzzer is told how much one allocation may have.
const LIMITS: Limits = Limits { max_pixels: 1 << 18, max_scans: 20, ..Limits::DEFAULT };

/// The whole image, a part of it made smaller and turned, and a JPEG scaled as it is decoded.
const REQUESTS: [&str; 3] =
    ["a=full/max/0/default.png", "b=square/!40,40/90/gray.tif", "c=pct:10,10,70,70/!24,24/22.5/default.jpg"];

/// Probes and derives from a source of one format; a source of another is not kept in the corpus.
pub fn derives(format: SourceFormat, source: &[u8]) -> Corpus {
    watch_own_panics();
    if sniff(source) != Some(format) {
        return Corpus::Reject;
    }
    // Each on its own too: deriving all at once decodes once, at the scale of the largest.
    let derivatives: Vec<Derivative> = REQUESTS.iter().filter_map(|text| text.parse().ok()).collect();
    for part in [&derivatives[..], &derivatives[derivatives.len() - 1..]] {
        if let Ok(recipe) = Recipe::new(part.to_vec()) {
            check(source, &recipe);
        }
    }
    Corpus::Keep
}

/// Makes lossless gray of a JPEG, and checks that the result is a whole JPEG of the same size.
pub fn copies_luma(source: &[u8]) -> Corpus {
    watch_own_panics();
    if sniff(source) != Some(SourceFormat::Jpeg) {
        return Corpus::Reject;
    }
    let Some((header, renditions)) = check(source, &Recipe::gray()) else { return Corpus::Keep };
    for rendition in renditions {
        let again = probe(&rendition.bytes).expect("lossless gray has a header");
        assert_eq!(again.upright(), header.upright(), "lossless gray of another size");
        assert_eq!(again.channels, 1, "lossless gray has colours");
        let whole = derive(&rendition.bytes, &Recipe::gray(), &mut Vec::<Rendition>::new(), &LIMITS);
        whole.expect("lossless gray can be read");
    }
    Corpus::Keep
}

fn check(source: &[u8], recipe: &Recipe) -> Option<(Header, Vec<Rendition>)> {
    let header = probe(source).ok()?;
    let _ = memory_need(&header, recipe);
    let mut renditions = Vec::new();
    derive(source, recipe, &mut renditions, &LIMITS).ok()?;
    assert_eq!(renditions.len(), recipe.derivatives().len(), "a derivative is missing");
    for rendition in &renditions {
        let pixels = u64::from(rendition.width) * u64::from(rendition.height);
        assert!((1..=LIMITS.max_pixels).contains(&pixels), "{}×{}", rendition.width, rendition.height);
    }
    Some((header, renditions))
}

/// Parses, spells and parses again, in both editions of the grammar.
pub fn round_trips(text: &str) {
    for edition in [Edition::V2, Edition::V3] {
        if let Ok(request) = Request::parse(text, edition) {
            let canonical = request.to_string();
            assert_eq!(canonical.parse().ok(), Some(request), "{text:?} is spelled {canonical:?}");
            // 2.1 has fewer words than 3.0, so something may be lost, but only the first time.
            let spelled = request.spelled(edition);
            let again = Request::parse(&spelled, edition).map(|request| request.spelled(edition));
            assert_eq!(again.ok(), Some(spelled), "{text:?}");
        }
        if let Ok(recipe) = Recipe::parse_json_as(text, edition) {
            let again = Recipe::new(recipe.derivatives().to_vec());
            assert_eq!(again.ok().as_ref(), Some(&recipe), "{text:?}");
            recipe.derivatives().iter().for_each(|derivative| drop(derivative.canonical()));
        }
    }
    if let Ok(derivative) = text.parse::<Derivative>() {
        let spelled = format!("{}={}", derivative.label, derivative.request);
        assert_eq!(spelled.parse().ok(), Some(derivative), "{text:?} is spelled {spelled:?}");
    }
}

/// Replaces the fuzzer's hook, for which any panic is the end, by one for which only the engine's own is. Panics that
/// nothing catches still end in the fuzzer.
fn watch_own_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            let file = panic.location().map_or("", |location| location.file());
            if file.contains("crates/image/src") || file.contains("fuzz/src") {
                // Prints, and aborts: a finding.
                print(panic);
            }
        }));
    });
}
