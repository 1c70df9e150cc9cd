//! Which of an image's colours plays which role: vibrant, light vibrant, dark vibrant and the same three muted.

use super::Rgb;
use super::quantize::Swatch;

/// A colour as people describe it: hue in degrees, the others 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hsl {
    pub hue: f64,
    pub saturation: f64,
    pub lightness: f64,
}

impl Hsl {
    pub(super) fn of(colour: Rgb) -> Self {
        let [red, green, blue] = colour.map(|sample| f64::from(sample) / 255.0);
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        let (span, lightness) = (most - least, (most + least) / 2.0);
        if span == 0.0 {
            return Hsl { hue: 0.0, saturation: 0.0, lightness };
        }
        let sixths = if most == red {
            ((green - blue) / span).rem_euclid(6.0)
        } else if most == green {
            (blue - red) / span + 2.0
        } else {
            (red - green) / span + 4.0
        };
        let saturation = span / (1.0 - (2.0 * lightness - 1.0).abs());
        Hsl { hue: sixths * 60.0, saturation: saturation.clamp(0.0, 1.0), lightness }
    }
}

/// A range, and what would be best in it.
struct Wish {
    least: f64,
    best: f64,
    most: f64,
}

impl Wish {
    const fn new(least: f64, best: f64, most: f64) -> Self {
        Wish { least, best, most }
    }

    /// Near 1 for what is near the best; none outside the range.
    fn score(&self, value: f64) -> Option<f64> {
        (self.least..=self.most).contains(&value).then(|| 1.0 - (value - self.best).abs())
    }
}

struct Role {
    saturation: Wish,
    lightness: Wish,
}

const VIVID: Wish = Wish::new(0.35, 1.0, 1.0);
const MUTED: Wish = Wish::new(0.0, 0.3, 0.4);
const LIGHT: Wish = Wish::new(0.55, 0.74, 1.0);
const NORMAL: Wish = Wish::new(0.3, 0.5, 0.7);
const DARK: Wish = Wish::new(0.0, 0.26, 0.45);

/// In the order that they choose in: a colour that one took is not the next one's.
const ROLES: [Role; 6] = [
    Role { saturation: VIVID, lightness: LIGHT },
    Role { saturation: VIVID, lightness: NORMAL },
    Role { saturation: VIVID, lightness: DARK },
    Role { saturation: MUTED, lightness: LIGHT },
    Role { saturation: MUTED, lightness: NORMAL },
    Role { saturation: MUTED, lightness: DARK },
];
/// And in the order that they are told in: normal, light, dark.
const TOLD: [usize; 6] = [1, 0, 2, 4, 3, 5];

/// What saturation, lightness and population weigh.
const WEIGHTS: [f64; 3] = [0.24, 0.52, 0.24];

/// The colours that found a role.
pub(super) fn choose(swatches: &[Swatch]) -> Vec<Rgb> {
    let most = swatches.iter().map(|swatch| swatch.population).max().unwrap_or(1);
    let mut taken: Vec<Rgb> = Vec::new();
    let chosen = ROLES.each_ref().map(|role| {
        let score = |swatch: &Swatch| {
            let Hsl { saturation, lightness, .. } = Hsl::of(swatch.colour);
            let population = f64::from(swatch.population) / f64::from(most);
            let scores = [role.saturation.score(saturation)?, role.lightness.score(lightness)?, population];
            Some(scores.iter().zip(WEIGHTS).map(|(score, weight)| score * weight).sum::<f64>())
        };
        let mut best: Option<(f64, Rgb)> = None;
        for swatch in swatches.iter().filter(|swatch| !taken.contains(&swatch.colour)) {
            if let Some(score) = score(swatch).filter(|score| best.is_none_or(|(best, _)| *score > best)) {
                best = Some((score, swatch.colour));
            }
        }
        taken.extend(best.map(|(_, colour)| colour));
        best.map(|(_, colour)| colour)
    });
    TOLD.iter().filter_map(|role| chosen[*role]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_described_as_css_describes_them() {
        for (rgb, hsl) in [
            ([255, 0, 0], (0.0, 1.0, 0.5)),
            ([0, 255, 255], (180.0, 1.0, 0.5)),
            ([128, 128, 128], (0.0, 0.0, 0.502)),
            ([184, 117, 49], (30.2, 0.579, 0.457)),
            ([102, 51, 153], (270.0, 0.5, 0.4)),
        ] {
            let found = Hsl::of(rgb);
            let near = |a: f64, b: f64, by: f64| (a - b).abs() < by;
            assert!(near(found.hue, hsl.0, 0.1), "{rgb:?} {found:?}");
            assert!(near(found.saturation, hsl.1, 0.001) && near(found.lightness, hsl.2, 0.001), "{found:?}");
        }
    }

    #[test]
    fn each_role_takes_a_colour_of_its_own() {
        let swatch = |colour| Swatch { colour, population: 10 };
        let (vivid, pale, night) = ([24, 160, 220], [160, 220, 240], [16, 40, 72]);
        let muted = [112, 128, 120];
        assert_eq!(choose(&[muted, night, pale, vivid].map(swatch)), [vivid, pale, night, muted]);
        assert_eq!(choose(&[swatch(vivid), swatch(vivid)]), [vivid], "never twice");
        assert!(choose(&[]).is_empty());
    }
}
