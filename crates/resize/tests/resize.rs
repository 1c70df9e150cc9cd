//! The taps by their formula, and what is no image.
#![allow(clippy::unwrap_used, missing_docs)]

use imgmill_resize::{Area, Gradual, Samples, lanczos3, tap};
use proptest::prelude::*;

#[test]
fn taps_are_those_of_the_formula() {
    let sinc = |x: f64| {
        let angle = x * std::f64::consts::PI;
        angle.sin() / angle
    };
    for n in (-4000..4000).filter(|n| *n != 0) {
        let x = f64::from(n) / 1000.0;
        let expected = if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
        assert!((tap(x) - expected).abs() < 1e-9, "{x}: {} {expected}", tap(x));
    }
    assert_eq!(tap(0.0), 1.0);
}

#[test]
fn what_is_not_there_is_an_error() {
    let samples = Samples { width: 2, height: 2, channels: 3, data: &[7; 12] };
    let all = Area { x: 0.0, y: 0.0, w: 2.0, h: 2.0 };
    assert_eq!(lanczos3(samples, all, 1, 1).unwrap(), [7; 3]);
    assert!(lanczos3(Samples { data: &[7; 11], ..samples }, all, 1, 1).is_err());
    assert!(lanczos3(Samples { channels: 5, ..samples }, all, 1, 1).is_err());
    assert!(lanczos3(samples, Area { x: 1.0, ..all }, 1, 1).is_err());
}

/// Rows as they might come, a few at a time, and all that is drawn of them.
fn gradually(samples: Samples<'_>, counts: (f64, f64), to: (u32, u32), rows: usize) -> Vec<u8> {
    let Samples { width, height, channels, data } = samples;
    let mut gradual = Gradual::new((width, height), channels, counts, to);
    let mut drawn = Vec::new();
    for some in data.chunks(rows * width as usize * channels) {
        gradual.push(some);
        while let Some(more) = gradual.draw().unwrap() {
            drawn.extend(more);
        }
    }
    assert!(gradual.draw().unwrap().is_none());
    drawn
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_that_come_one_after_the_other_give_the_same_image(
        width in 1u32..80, height in 1u32..1500, across in 0.02f64..1.0, down in 0.02f64..1.0,
        beyond in 0.0f64..0.9, channels in 1usize..5, rows in 1usize..60, seed: u8,
    ) {
        let bytes = (width * height) as usize * channels;
        let data: Vec<u8> = (0..bytes).map(|n| (n * 31 % 251) as u8 ^ (n / 97) as u8 ^ seed).collect();
        let samples = Samples { width, height, channels, data: &data };
        let to = |side: u32, share: f64| ((f64::from(side) * share) as u32).max(1);
        let to = (to(width, across), to(height, down));
        let counts = (f64::from(width) - beyond, f64::from(height) - beyond);
        let area = Area { x: 0.0, y: 0.0, w: counts.0, h: counts.1 };
        let expected = lanczos3(samples, area, to.0, to.1).unwrap();
        let found = gradually(samples, counts, to, rows);
        prop_assert_eq!(found.len(), expected.len());
        // Where hardly anything is opaque, a colour is divided by next to nothing.
        let exact = channels % 2 == 1;
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            prop_assert!(!exact || found.abs_diff(*expected) <= 1, "{at}: {found} {expected}");
        }
        let same = found.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
        prop_assert!(same * 100 >= found.len() * 98, "{same} of {}", found.len());
    }
}

#[test]
fn what_is_held_does_not_grow_with_the_height() {
    let most = |height| Gradual::memory((600, height), 3, (200, height / 3));
    assert!(most(1_000_000) < most(3_000) * 11 / 10);
    assert!(most(1_000_000) < 2 << 20, "{}", most(1_000_000));
}
