//! Ranges: the headings that pages are under, as a tree.

use serde_json::{Value, json};

use super::presentation::{Words, canvas_id};

/// Headings; the first is none, and all others are under it.
struct Tree<'a> {
    ranges: Vec<Range<'a>>,
}

/// A heading, and what is under it in the order of the pages.
#[derive(Default)]
struct Range<'a> {
    label: &'a str,
    items: Vec<Item>,
}

/// A heading's place in the tree, or a page's number.
#[derive(Clone, Copy)]
enum Item {
    Range(usize),
    Canvas(usize),
}

/// The ranges of pages under these headings. A heading that comes again, after others, under the same one is the same.
pub(super) fn structures(paths: &[&[String]], base: &str, words: &Words<'_>) -> Vec<Value> {
    let mut tree = Tree { ranges: vec![Range::default()] };
    for (number, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let last = path.iter().fold(0, |above, label| tree.under(above, label));
        tree.ranges[last].items.push(Item::Canvas(number));
    }
    let outermost = tree.ranges[0].items.iter();
    outermost
        .filter_map(|item| match item {
            Item::Range(place) => Some(tree.value(*place, base, words)),
            Item::Canvas(_) => None,
        })
        .collect()
}

impl<'a> Tree<'a> {
    /// The place of a heading under another one, which is made where it is missing.
    fn under(&mut self, above: usize, label: &'a str) -> usize {
        let known = self.ranges[above].items.iter().find_map(|item| match item {
            Item::Range(place) if self.ranges[*place].label == label => Some(*place),
            _ => None,
        });
        known.unwrap_or_else(|| {
            let place = self.ranges.len();
            self.ranges.push(Range { label, items: Vec::new() });
            self.ranges[above].items.push(Item::Range(place));
            place
        })
    }

    fn value(&self, place: usize, base: &str, words: &Words<'_>) -> Value {
        let Range { label, items } = &self.ranges[place];
        let items: Vec<Value> = items
            .iter()
            .map(|item| match item {
                Item::Range(place) => self.value(*place, base, words),
                Item::Canvas(number) => json!({"id": canvas_id(base, *number), "type": "Canvas"}),
            })
            .collect();
        json!({"id": format!("{base}/range/{place}"), "type": "Range", "label": words.of(label), "items": items})
    }
}
