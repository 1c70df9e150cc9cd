//! What services find, against other implementations: PyPI's `blurhash-python` 1.2.2 for the BlurHashes; Pillow's
//! `resize(…, BILINEAR)`, across and then down, and goimagehash's published arithmetic for the image hashes.

use super::*;
use crate::pixels::Channels;

/// Waves of colour that any language draws the same.
fn picture(width: u32, height: u32) -> Pixels {
    let pixel = |x: u32, y: u32| {
        [x * x / 3 + y * 2, x * 3 + y * y / 5, 255 - (x * y / 7) % 256].map(|v| (v % 256) as u8)
    };
    let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    Pixels { width, height, channels: Channels::Rgb, data }
}

fn all(across: u8, down: u8, longest: u32) -> Services {
    Services {
        palette: Some(5),
        blurhash: Some(BlurHash { across, down, longest }),
        image_hash: true,
        sha1: false,
    }
}

#[test]
fn hashes_are_those_of_other_implementations() {
    for ((width, height), (across, down), blurhash, average, difference) in [
        ((64, 48), (4, 3), "LcG9UZIiE:JXV,Q_XKa^eLi]kRjK", 0x0f0f_3f3e_f8e1_0ff8, 0xefef_effc_c107_dec4),
        (
            (37, 101),
            (8, 8),
            ":cHB.SR]N%OcsEs=WHxIIhEmO8wZ$PF1slW-Vkr;siwiJQWU#:S5Z@e+W@WUW,whWUSea6j[j=n#b0WTbFjci*bafhbJbDo1jdaxa%bqjujrjsb0bDbHkWbXf9bEbIj=jbf9",
            0x051f_f939_fbf2_f6e6,
            0xfdf9_f373_f226_8e8c,
        ),
        (
            (200, 133),
            (9, 9),
            "|9HV6yoTV+oSVRokXpo8bMNlNiIxNhIKOZKhNfJ-NRR=N4R:Q]SxTDWAW,nswQa7wMZlxnb.waj:NQnoN2i{MgkiOkWTS1wSV}w1V@rEk%t1bFwzNQaQi{RiVsl0SzWsjKs[j1jEnNi_gvsEoNe@OInTW,nNOml5V|oNRk",
            0x66cd_a59b_a481_b749,
            0xcc99_4537_4876_4db3,
        ),
        ((5, 3), (1, 1), "000cP_", 0x0f0f_0f0f_0f0f_0f0f, 0xffff_ffff_ffff_ffff),
        ((31, 31), (1, 5), "acD]ypUtgynWfS", 0x0202_0606_0f1f_ffff, 0xfefe_fefe_fcfc_fcfc),
    ] {
        let services = all(across, down, 512);
        let found = services.look(picture(width, height), (width, height)).unwrap();
        assert_eq!(found.blurhash.as_deref(), Some(blurhash), "{width}×{height}");
        assert_eq!(found.image_hash, Some(ImageHash { average, difference }), "{width}×{height}");
        assert!(found.can_be_of(&services));
    }
}

#[test]
fn grey_pixels_are_grey_colours() {
    let grey =
        Pixels { channels: Channels::Gray, width: 9, height: 2, data: (0..18).map(|v| v * 14).collect() };
    let rgb = grey.map(Channels::Rgb, |[v]| [v; 3]);
    let found = |pixels| all(3, 3, 9).look(pixels, (9, 2)).unwrap();
    assert_eq!(found(grey), found(rgb));
}

#[test]
fn a_blurhash_looks_at_a_copy_of_the_size_that_is_asked_for() {
    let small = |longest, full| {
        let blurhash = BlurHash { across: 1, down: 1, longest };
        let view = picture(30, 20);
        let small = blurhash.small(&view, full).unwrap();
        (small.width, small.height)
    };
    assert_eq!(small(32, (30, 20)), (30, 20), "never larger");
    assert_eq!(small(10, (30, 20)), (10, 6));
    assert_eq!(small(1, (30, 20)), (1, 1));
    assert_eq!(small(12, (3000, 1999)), (12, 7), "as the image's sides have it, not the view's");
}

#[test]
fn colours_come_by_their_roles_and_no_more_than_wanted() {
    let blocks = [[216, 40, 48], [24, 64, 160], [240, 240, 240], [120, 136, 120], [168, 208, 240]];
    let data = (0..500).flat_map(|at| blocks[at / 100]).collect();
    let view = Pixels { width: 100, height: 5, channels: Channels::Rgb, data };
    let palette = |count| {
        let services = Services { palette: Some(count), ..Services::default() };
        services.look(view.clone(), (100, 5)).unwrap().palette.unwrap()
    };
    assert_eq!(palette(6), [[216, 40, 48], [168, 208, 240], [24, 64, 160], [120, 136, 120], [240, 240, 240]]);
    assert_eq!(palette(2), [[216, 40, 48], [168, 208, 240]]);
}

#[test]
fn what_cannot_be_a_finding_is_told_apart() {
    let services = all(2, 2, 9);
    let found = services.look(picture(9, 9), (9, 9)).unwrap();
    let with = |change: fn(&mut Findings)| {
        let mut found = found.clone();
        change(&mut found);
        found.can_be_of(&services)
    };
    assert!(with(|_| ()));
    assert!(!with(|found| found.blurhash = Some("\u{1b}[2J12345678".to_owned())));
    assert!(!with(|found| found.blurhash = Some("000cP_".to_owned())), "of another number of waves");
    assert!(!with(|found| found.palette = Some(vec![[0; 3]; 6])));
    assert!(!with(|found| found.image_hash = None));
    assert!(!found.can_be_of(&Services::default()));
}
