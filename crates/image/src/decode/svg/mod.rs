//! SVG and SVGZ: drawn at the size that is wanted, without anything from outside the file.
//!
//! Its size is what its root element says, at CSS's 96 dots an inch; with a `viewBox` alone, that; with neither, as much
//! as its drawing takes from the origin on. References to other files and to the network are never followed, images
//! inside the file (`data:`) are drawn.

mod fonts;

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, Group, ImageHrefResolver, Node, Options, Size, Tree};

use super::vector::{self, Canvas};
use crate::error::{Error, ErrorKind};
use crate::header::{Header, VectorTraits};
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::sniff::{SourceFormat, sniff};
use crate::xml;

/// CSS's.
const DPI: u16 = 96;
/// Most bytes of an unpacked SVGZ.
const MOST_TEXT: u64 = 64 << 20;
/// Most groups within groups that are drawn on canvases of their own.
const MOST_LAYERS: u64 = 16;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let text = text(source)?;
    let size = vector::with_room(|| size(&text))?;
    let drawing = VectorTraits::new(size.width().into(), size.height().into(), DPI, MOST_LAYERS + 2)?;
    Ok(drawing.header(SourceFormat::Svg, 4))
}

pub(super) fn decode(source: &[u8], canvas: Canvas, limits: &Limits) -> Result<Pixels, Error> {
    let text = text(source)?;
    vector::with_room(|| {
        let embedded = Arc::new(AtomicU64::new(limits.max_pixels));
        let tree = parse(&text, &options(&text, Some(&embedded)))?;
        let layers = layers(tree.root());
        if layers > MOST_LAYERS {
            let message =
                format!("the SVG has {layers} layers within each other; the limit is {MOST_LAYERS}");
            return Err(Error::new(ErrorKind::TooManyPixels, message));
        }
        let too_large = || Error::new(ErrorKind::TooManyPixels, "the SVG is too large to be drawn");
        let mut pixmap = Pixmap::new(canvas.width, canvas.height).ok_or_else(too_large)?;
        let size = tree.size();
        let scale =
            Transform::from_scale(canvas.width as f32 / size.width(), canvas.height as f32 / size.height());
        resvg::render(&tree, scale, &mut pixmap.as_mut());
        vector::straight(canvas, pixmap.take())
    })
}

/// The text, unpacked if need be.
fn text(source: &[u8]) -> Result<Cow<'_, str>, Error> {
    let bytes = if source.starts_with(&[0x1F, 0x8B]) { Cow::Owned(unpack(source)?) } else { source.into() };
    let not_text = || Error::corrupt("the SVG is not text in UTF-8");
    Ok(match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map_err(|_| not_text())?.into(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_err(|_| not_text())?.into(),
    })
}

fn unpack(source: &[u8]) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    let mut unpacked = flate2::bufread::GzDecoder::new(source).take(MOST_TEXT + 1);
    unpacked.read_to_end(&mut text).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::truncated("the SVGZ ends before its drawing does"),
        _ => Error::corrupt(format!("the SVGZ is damaged: {e}")).caused_by(e),
    })?;
    if text.len() as u64 > MOST_TEXT {
        let message = format!("the SVGZ unpacks to more than the limit of {} MB", MOST_TEXT >> 20);
        return Err(Error::new(ErrorKind::TooManyPixels, message));
    }
    Ok(text)
}

/// Width and height in CSS pixels: from the root's start tag alone, where that says enough.
fn size(text: &str) -> Result<Size, Error> {
    let none = || Error::corrupt("the SVG has no svg element");
    let at = xml::root(text.as_bytes()).ok_or_else(|| cut_or(text, none()))?;
    let tag = &text.as_bytes()[at..];
    if xml::local_name(tag) != b"svg" {
        return Err(none());
    }
    let end = at + xml::tag_length(tag).ok_or_else(cut)?;
    let name = text[at + 1..end].split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next();
    let (start, name) = (&text[..end], name.unwrap_or("svg"));
    let prefix = name.strip_suffix("svg").unwrap_or_default();
    let start = start.strip_suffix("/>").or(start.strip_suffix('>')).unwrap_or(start);
    // With another drawing inside: where that changes the size, the drawing has to say.
    let with = |side: u8| {
        let alone = format!("{start}><{prefix}rect width='{side}' height='{side}'/></{name}>");
        parse(&alone, &options(text, None)).map(|tree| tree.size())
    };
    let (one, another) = (with(10)?, with(20)?);
    if one == another {
        return Ok(one);
    }
    let everything = Arc::new(AtomicU64::new(u64::MAX));
    parse(text, &options(text, Some(&everything))).map(|tree| tree.size())
}

fn parse(text: &str, options: &Options<'_>) -> Result<Tree, Error> {
    let too_many =
        || Error::new(ErrorKind::TooManyPixels, "the SVG has more elements than the limit of 1 million");
    Tree::from_str(text, options).map_err(|e| match e {
        usvg::Error::ElementsLimitReached => too_many(),
        usvg::Error::ParsingFailed(usvg::roxmltree::Error::NodesLimitReached) => too_many(),
        usvg::Error::ParsingFailed(e) => cut_or(text, Error::corrupt(format!("the SVG is damaged: {e}"))),
        usvg::Error::InvalidSize => Error::corrupt("the SVG has no pixels"),
        other => Error::corrupt(format!("the SVG is damaged: {other}")).caused_by(other),
    })
}

/// XML that does not end with its root's end tag was cut, whatever else the parser made of it.
fn cut_or(text: &str, error: Error) -> Error {
    let last = text.rfind("</").map(|at| text.as_bytes()[at..].trim_ascii_end());
    let ends = last.is_some_and(|tag| xml::local_name(&tag[1..]) == b"svg" && tag.ends_with(b">"));
    if ends { error } else { cut() }
}

fn cut() -> Error {
    Error::truncated("the SVG ends before its drawing does")
}

/// Nothing of the machine is looked at: no files, no network, no fonts. `embedded` is how many pixels the images within
/// the file may still have; without it they are left out, and text too.
fn options(text: &str, embedded: Option<&Arc<AtomicU64>>) -> Options<'static> {
    let left = embedded.cloned();
    let inside = ImageHrefResolver::default_data_resolver();
    let mut options = Options {
        dpi: DPI.into(),
        font_family: fonts::FALLBACK.to_owned(),
        font_resolver: fonts::resolver(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(move |media_type, data, options| {
                may_be_drawn(&data, left.as_deref()?).then(|| inside(media_type, data, options)).flatten()
            }),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    // Reading the fonts takes longer than most drawings.
    if embedded.is_some() && (text.contains("<text") || text.contains(":text")) {
        options.fontdb = Arc::new(fonts::database());
    }
    options
}

/// Whether the limit leaves room for an embedded image, which is then counted. Drawings inside are counted by theirs.
fn may_be_drawn(image: &[u8], left: &AtomicU64) -> bool {
    let pixels = match sniff(image) {
        Some(SourceFormat::Svg) => return true,
        Some(format @ (SourceFormat::Jpeg | SourceFormat::Png | SourceFormat::Gif | SourceFormat::Webp)) => {
            let Ok(header) = super::header(format, image, 1) else { return false };
            u64::from(header.width) * u64::from(header.height)
        }
        _ => return false,
    };
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(pixels)).is_ok()
}

/// How many canvases are in use at a time to draw a group: its own, if it has one, and those of what is in it.
fn layers(group: &Group) -> u64 {
    let inside = group.children().iter().map(|node| {
        let mut most = 0;
        if let Node::Group(group) = node {
            most = layers(group);
        }
        // Patterns, masks, clips and drawings inside.
        node.subroots(|group| most = most.max(1 + layers(group)));
        most
    });
    u64::from(group.should_isolate()) + inside.max().unwrap_or(0)
}
