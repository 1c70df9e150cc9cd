//! What colours are called: the nearest in a list, by its distance in red, green and blue.
//!
//! The lists hold facts, one name a colour: CSS's colours as CSS Color Module Level 3 and Level 4 define them, under the
//! names that go-iiif's `css3` and `css4` prefer where a colour has two, and with its two values of level 3 that an older
//! draft had (`mediumpurple`, `palevioletred`); and Crayola's crayons by the values that published lists of them give,
//! Wikipedia's among those.

use super::Rgb;

const CRAYOLA: &str = include_str!("lists/crayola.txt");
/// What both levels of CSS have.
const CSS: &str = include_str!("lists/css.txt");
const CSS3: &str = include_str!("lists/css3.txt");
const CSS4: &str = include_str!("lists/css4.txt");

/// A list of colours with names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourList {
    /// `crayola`: crayons.
    Crayola,
    /// `css3`: CSS Color Module Level 3.
    Css3,
    /// `css4`: CSS Color Module Level 4.
    Css4,
}

/// A colour of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedColour {
    /// What the list calls it.
    pub name: &'static str,
    /// What it is.
    pub rgb: Rgb,
}

impl ColourList {
    /// All lists.
    pub const ALL: [ColourList; 3] = [ColourList::Crayola, ColourList::Css3, ColourList::Css4];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            ColourList::Crayola => "crayola",
            ColourList::Css3 => "css3",
            ColourList::Css4 => "css4",
        }
    }

    /// The colour of this list that is nearest; of several the first by name.
    pub fn nearest(self, rgb: Rgb) -> Option<NamedColour> {
        self.colours().min_by_key(|colour| distance(colour.rgb, rgb))
    }

    /// Its colours.
    pub fn colours(self) -> impl Iterator<Item = NamedColour> {
        let parts = match self {
            ColourList::Crayola => [CRAYOLA, ""],
            ColourList::Css3 => [CSS, CSS3],
            ColourList::Css4 => [CSS, CSS4],
        };
        parts.into_iter().flat_map(str::lines).filter_map(|line| {
            let (hex, name) = line.split_once(' ')?;
            let [_, red, green, blue] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
            Some(NamedColour { name, rgb: [red, green, blue] })
        })
    }
}

fn distance(one: Rgb, other: Rgb) -> u32 {
    one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_colour() {
        let counts = ColourList::ALL.map(|list| list.colours().count());
        assert_eq!(counts, [149, 138, 139]);
        for list in ColourList::ALL {
            assert!(
                list.colours()
                    .all(|colour| list.nearest(colour.rgb).is_some_and(|near| near.rgb == colour.rgb))
            );
        }
    }

    #[test]
    fn near_colours_get_the_name() {
        let name = |list: ColourList, rgb| list.nearest(rgb).unwrap().name;
        assert_eq!(name(ColourList::Css4, [103, 52, 150]), "rebeccapurple");
        assert_eq!(name(ColourList::Css3, [47, 79, 80]), "darkslategray");
        assert_eq!(name(ColourList::Css4, [47, 79, 80]), "darkslategrey");
        assert_eq!(name(ColourList::Crayola, [184, 117, 49]), "Metallic Sunburst");
    }
}
