//! Golden dimensions of the whole IIIF size table, regions, and where they lie in turned images.

use super::geometry::{Rect, turned_bounds};
use super::resolve;
use crate::error::ErrorKind;
use crate::exif::Turn;
use crate::recipe::{Edition, Size};

#[test]
fn size_table() {
    // Image API 3.0 §4.2, on regions of 600×400, 30×20 and one so long that a side rounds to nothing.
    let (landscape, small, long) = ((600, 400), (30, 20), (2000, 10));
    for (text, region, expected) in [
        ("max", landscape, Some((600, 400))),
        ("^max", landscape, Some((600, 400))),
        ("150,", landscape, Some((150, 100))),
        ("100,", landscape, Some((100, 67))),
        ("600,", landscape, Some((600, 400))),
        ("601,", landscape, None),
        ("^601,", landscape, Some((601, 401))),
        ("^1200,", landscape, Some((1200, 800))),
        (",150", landscape, Some((225, 150))),
        (",401", landscape, None),
        ("^,800", landscape, Some((1200, 800))),
        ("pct:50", landscape, Some((300, 200))),
        ("pct:33.333", landscape, Some((200, 133))),
        ("pct:0.01", landscape, None),
        ("^pct:120", landscape, Some((720, 480))),
        ("225,100", landscape, Some((225, 100))),
        ("600,401", landscape, None),
        ("^600,900", landscape, Some((600, 900))),
        ("!225,100", landscape, Some((150, 100))),
        ("!90,100", landscape, Some((90, 60))),
        ("!250,250", landscape, Some((250, 167))),
        ("!50,50", small, Some((30, 20))),
        ("^!50,50", small, Some((50, 33))),
        ("!600,10", small, Some((15, 10))),
        ("!50,50", long, Some((50, 1))),
        ("50,", long, None),
        ("^!360,360", landscape, Some((360, 240))),
        ("^!900,900", landscape, Some((900, 600))),
    ] {
        let size: Size = text.parse().unwrap();
        let found = resolve::size(&size, region.0, region.1);
        match expected {
            Some(expected) => assert_eq!(found.unwrap(), expected, "{text} of {region:?}"),
            None => assert_eq!(found.unwrap_err().kind(), ErrorKind::BadRequest, "{text} of {region:?}"),
        }
    }
}

#[test]
fn edition_2_enlarges_without_being_told() {
    for (text, expected) in
        [("60,", (60, 40)), (",60", (90, 60)), ("!60,60", (60, 40)), ("pct:200", (60, 40))]
    {
        let size = Size::parse(text, Edition::V2).unwrap();
        assert_eq!(resolve::size(&size, 30, 20).unwrap(), expected, "{text}");
    }
    assert_eq!(resolve::size(&Size::parse("full", Edition::V2).unwrap(), 30, 20).unwrap(), (30, 20));
}

#[test]
fn the_copyright_box_of_a_4_to_3_image() {
    assert_eq!(resolve::size(&"!843,560".parse().unwrap(), 4000, 3000).unwrap(), (747, 560));
}

#[test]
fn regions_are_cut_to_the_image() {
    for (text, expected) in [
        ("full", Some((0, 0, 300, 200))),
        ("square", Some((50, 0, 200, 200))),
        ("125,15,120,140", Some((125, 15, 120, 140))),
        ("125,15,200,200", Some((125, 15, 175, 185))),
        ("299,199,1,1", Some((299, 199, 1, 1))),
        ("300,0,1,1", None),
        ("0,200,10,10", None),
        ("pct:41.6,7.5,40,70", Some((125, 15, 120, 140))),
        ("pct:41.6,7.5,66.6,100", Some((125, 15, 175, 185))),
        ("pct:100,0,10,10", None),
        ("pct:0,0,0.1,50", None),
        ("4294967295,0,4294967295,1", None),
    ] {
        let found = resolve::region(&text.parse().unwrap(), 300, 200);
        let rect = |(x, y, w, h)| Rect { x, y, w, h };
        match expected {
            Some(expected) => assert_eq!(found.unwrap().region, rect(expected), "{text}"),
            None => assert_eq!(found.unwrap_err().kind(), ErrorKind::BadRequest, "{text}"),
        }
    }
}

#[test]
fn smart_crops_take_the_largest_box_of_their_shape_and_never_enlarge() {
    for (text, counts_as, sizes) in [
        ("-1,-1,100,100", (100, 100), vec![(200, 200), (180, 180)]),
        ("-1,-1,190,190", (190, 190), vec![(200, 200)]),
        ("-1,-1,100,50", (100, 50), vec![(300, 150), (270, 135)]),
        ("-1,-1,320,320", (200, 200), vec![(200, 200)]),
        ("-1,-1,10,4000", (1, 200), vec![(1, 200)]),
        // One place only, and nothing to choose.
        ("-1,-1,300,200", (300, 200), vec![]),
        ("-1,-1,3000,2000", (300, 200), vec![]),
    ] {
        let found = resolve::region(&text.parse().unwrap(), 300, 200).unwrap();
        assert_eq!((found.counts_as, found.sizes), (counts_as, sizes), "{text}");
    }
}

#[test]
fn regions_of_turned_images_lie_where_the_turn_took_them_from() {
    // The top left pixel of the upright image, in a stored image of 4×3, under each orientation.
    let corners = [(0, 0), (3, 0), (3, 2), (0, 2), (0, 0), (0, 2), (3, 2), (3, 0)];
    for (orientation, (x, y)) in (1..).zip(corners) {
        let stored = Rect { x: 0, y: 0, w: 1, h: 1 }.stored(Turn::upright(orientation), (4, 3));
        assert_eq!(stored, Rect { x, y, w: 1, h: 1 }, "orientation {orientation}");
    }
    let turned = Rect { x: 0, y: 1, w: 2, h: 3 }.stored(Turn::upright(6), (4, 3));
    assert_eq!(turned, Rect { x: 1, y: 1, w: 3, h: 2 });
}

#[test]
fn turns_compose() {
    let turns = || (0..8).map(|n| Turn { mirror: n >= 4, quarters: n % 4 });
    // Follow one corner and one edge through both, and through the composition.
    let apply = |turn: Turn, (x, y): (i32, i32)| {
        let mut point = if turn.mirror { (-x, y) } else { (x, y) };
        for _ in 0..turn.quarters {
            point = (-point.1, point.0);
        }
        point
    };
    for first in turns() {
        for second in turns() {
            for point in [(2, 1), (-1, 3)] {
                let one_by_one = apply(second, apply(first, point));
                assert_eq!(apply(first.then(second), point), one_by_one, "{first:?} then {second:?}");
            }
        }
    }
}

#[test]
fn bounds_of_free_rotation() {
    assert_eq!(turned_bounds(100, 50, 45.0), (107, 107));
    assert_eq!(turned_bounds(1, 1, 0.001), (1, 1));
}
