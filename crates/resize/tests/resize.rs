//! The taps by their formula, and what is no image.
#![allow(clippy::unwrap_used, missing_docs)]

use imgmill_resize::{Area, Samples, lanczos3, tap};

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
