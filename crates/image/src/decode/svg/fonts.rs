//! The fonts that text in drawings is set in: DejaVu Sans, Serif and Mono, which come with this program.
//!
//! Fonts of the machine are never looked at: the same file has to give the same picture on every machine. What asks for
//! a font that is not here gets DejaVu Sans.

use std::sync::Arc;

use resvg::usvg::fontdb::{Database, Family, Query, Source, Stretch, Style, Weight};
use resvg::usvg::{FontFamily, FontResolver, FontStyle};

pub(super) const FALLBACK: &str = "DejaVu Sans";

pub(super) fn database() -> Database {
    let mut fonts = Database::new();
    let files = [
        dejavu::sans::regular(),
        dejavu::sans::bold(),
        dejavu::sans::oblique(),
        dejavu::serif::regular(),
        dejavu::serif::bold(),
        dejavu::sans_mono::regular(),
    ];
    for file in files {
        fonts.load_font_source(Source::Binary(Arc::new(file)));
    }
    fonts
}

pub(super) fn resolver() -> FontResolver<'static> {
    FontResolver {
        select_font: Box::new(|font, fonts| {
            let mut families: Vec<Family<'_>> = font.families().iter().map(family).collect();
            families.push(Family::Name(FALLBACK));
            let style = match font.style() {
                FontStyle::Normal => Style::Normal,
                FontStyle::Italic => Style::Italic,
                FontStyle::Oblique => Style::Oblique,
            };
            let weight = Weight(font.weight());
            fonts.query(&Query { families: &families, weight, stretch: Stretch::Normal, style })
        }),
        select_fallback: FontResolver::default_fallback_selector(),
    }
}

fn family(family: &FontFamily) -> Family<'_> {
    match family {
        FontFamily::Serif => Family::Name("DejaVu Serif"),
        FontFamily::Monospace => Family::Name("DejaVu Sans Mono"),
        FontFamily::Named(name) => Family::Name(name),
        _ => Family::Name(FALLBACK),
    }
}
