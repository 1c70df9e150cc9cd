//! Many colours into few: boxes of five-bit colours, the largest cut in two where half of its pixels lie on each side.

use super::Rgb;
use super::roles::Hsl;

/// The mean of a box, and the pixels that it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Swatch {
    pub colour: Rgb,
    pub population: u32,
}

const BITS: u32 = 5;
const LOST: u32 = 8 - BITS;

/// At most `most` swatches. Near-black, near-white and what skin and sepia look like count for nothing.
pub(super) fn swatches(colours: &[Rgb], most: usize) -> Vec<Swatch> {
    let mut histogram = vec![0_u32; 1 << (3 * BITS)];
    for colour in colours {
        histogram[index(*colour)] += 1;
    }
    let mut seen: Vec<Swatch> = (0..histogram.len())
        .filter(|index| histogram[*index] > 0)
        .map(|index| Swatch { colour: colour(index), population: histogram[index] })
        .filter(|swatch| is_allowed(swatch.colour))
        .collect();
    if seen.len() <= most {
        return seen;
    }
    let mut boxes = vec![Box { from: 0, to: seen.len(), volume: volume(&seen) }];
    while boxes.len() < most {
        // The largest; of equal ones the one that was there first.
        let largest = boxes.iter().enumerate().rev().max_by_key(|(_, one)| one.volume);
        let Some((at, one)) = largest.map(|(at, one)| (at, *one)).filter(|(_, one)| one.to - one.from > 1)
        else {
            break;
        };
        let middle = one.from + cut(&mut seen[one.from..one.to]);
        let part = |from: usize, to: usize| Box { from, to, volume: volume(&seen[from..to]) };
        let (lower, upper) = (part(one.from, middle), part(middle, one.to));
        boxes[at] = lower;
        boxes.push(upper);
    }
    boxes.iter().map(|one| mean(&seen[one.from..one.to])).filter(|mean| is_allowed(mean.colour)).collect()
}

/// Colours next to each other in the list of those seen.
#[derive(Clone, Copy)]
struct Box {
    from: usize,
    to: usize,
    volume: u32,
}

fn index(colour: Rgb) -> usize {
    colour.iter().fold(0, |index, sample| index << BITS | usize::from(sample >> LOST))
}

fn colour(index: usize) -> Rgb {
    let sample = |place: u32| ((index >> (place * BITS)) as u8 & ((1 << BITS) - 1)) << LOST;
    [sample(2), sample(1), sample(0)]
}

/// Steps that the colours span, red, green and blue.
fn spans(colours: &[Swatch]) -> [u32; 3] {
    [0, 1, 2].map(|channel| {
        let samples = || colours.iter().map(|swatch| swatch.colour[channel] >> LOST);
        let (least, most) = (samples().min().unwrap_or(0), samples().max().unwrap_or(0));
        u32::from(most - least) + 1
    })
}

fn volume(colours: &[Swatch]) -> u32 {
    spans(colours).iter().product()
}

/// Sorts by the longest side and answers where the upper half begins: never at either end.
fn cut(colours: &mut [Swatch]) -> usize {
    let [red, green, blue] = spans(colours);
    let order = match () {
        () if red >= green && red >= blue => [0, 1, 2],
        () if green >= red && green >= blue => [1, 0, 2],
        () => [2, 1, 0],
    };
    colours.sort_unstable_by_key(|swatch| order.map(|channel| swatch.colour[channel]));
    let half = colours.iter().map(|swatch| swatch.population).sum::<u32>() / 2;
    let mut count = 0;
    let reached = colours.iter().position(|swatch| {
        count += swatch.population;
        count >= half
    });
    (reached.unwrap_or(0) + 1).min(colours.len() - 1)
}

fn mean(colours: &[Swatch]) -> Swatch {
    let population: u32 = colours.iter().map(|swatch| swatch.population).sum();
    let sample = |channel: usize| {
        let weighed = |swatch: &Swatch| u64::from(swatch.population) * u64::from(swatch.colour[channel]);
        let sum: u64 = colours.iter().map(weighed).sum();
        let all = u64::from(population.max(1));
        // A mean of bytes is a byte.
        ((sum + all / 2) / all) as u8
    };
    Swatch { colour: [sample(0), sample(1), sample(2)], population }
}

/// What does not count: black, white, and the line of reds that photographs of people and wood are full of.
fn is_allowed(colour: Rgb) -> bool {
    let Hsl { hue, saturation, lightness } = Hsl::of(colour);
    let near_red = (10.0..=37.0).contains(&hue) && saturation <= 0.82;
    lightness > 0.05 && lightness < 0.95 && !near_red
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swatch(colour: Rgb, population: u32) -> Swatch {
        Swatch { colour, population }
    }

    #[test]
    fn few_colours_stay_as_they_are() {
        let green = swatches(&[[0, 255, 0], [0, 255, 0], [0, 0, 255]], 16);
        assert_eq!(green, [swatch([0, 0, 248], 1), swatch([0, 248, 0], 2)]);
        assert!(swatches(&[[0; 3], [255; 3], [200, 150, 120]], 16).is_empty(), "black, white and skin");
    }

    #[test]
    fn boxes_are_cut_at_half_of_their_pixels() {
        let populations = |all: [u32; 4]| {
            let mut colours: Vec<_> =
                (1..5).map(|n: u8| swatch([0, n << LOST, 0], all[usize::from(n - 1)])).collect();
            cut(&mut colours)
        };
        assert_eq!(populations([1, 1, 1, 1]), 2);
        assert_eq!(populations([2, 1, 1, 1]), 1);
        assert_eq!(populations([1, 2, 1, 1]), 2);
        assert_eq!(populations([1, 1, 1, 9]), 3, "something is left above");
    }

    #[test]
    fn the_mean_is_weighed() {
        let two = [swatch([240, 248, 0], 3), swatch([248, 240, 0], 1)];
        assert_eq!(mean(&two), swatch([242, 246, 0], 4));
    }

    #[test]
    fn many_colours_become_as_many_boxes_as_are_wanted() {
        let many: Vec<Rgb> = (0..4096_u32)
            .map(|n| [(n % 16 * 8) as u8, (n / 16 % 16 * 16) as u8, (n / 256 * 16) as u8])
            .collect();
        let found = swatches(&many, 24);
        assert!((20..=24).contains(&found.len()), "{}", found.len());
    }
}
