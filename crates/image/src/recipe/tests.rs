//! What parses, what it prints as, and what the errors say.

use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = Decimal> {
    (0u32..400, 0u32..10_000).prop_map(|(whole, rest)| format!("{whole}.{rest:04}").parse().unwrap())
}

fn region() -> impl Strategy<Value = Region> {
    let percent = "0.5".parse::<Decimal>().unwrap();
    prop_oneof![
        Just(Region::Full),
        Just(Region::Square),
        (any::<u32>(), any::<u32>(), 1u32.., 1u32..).prop_map(|(x, y, w, h)| Region::Pixels { x, y, w, h }),
        (number(), number()).prop_map(move |(x, y)| Region::Percent { x, y, w: percent, h: percent }),
        (1u32.., 1u32..).prop_map(|(w, h)| Region::Smart { w, h }),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    let fit = prop_oneof![
        Just(Fit::Max),
        (1u32..).prop_map(Fit::Width),
        (1u32..).prop_map(Fit::Height),
        (1u32.., 1u32..).prop_map(|(w, h)| Fit::Exact(w, h)),
        (1u32..=100).prop_map(|n| Fit::Percent(Decimal::whole(n))),
        (1u32.., 1u32..).prop_map(|(w, h)| Fit::Box(w, h)),
    ];
    (fit, any::<bool>()).prop_map(|(fit, upscale)| Size { fit, upscale })
}

fn rotation() -> impl Strategy<Value = Rotation> {
    let degrees = number().prop_filter("below a full turn", |d| *d < Decimal::whole(360));
    prop_oneof![
        Just(Rotation::AsStored),
        (any::<bool>(), degrees).prop_map(|(mirror, degrees)| Rotation::Turn { mirror, degrees }),
    ]
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![
        Just(Quality::Default),
        Just(Quality::Color),
        Just(Quality::Gray),
        Just(Quality::Bitonal),
        Just(Quality::Dither),
        (number(), number(), number()).prop_map(|(radius, amount, median)| Quality::Crisp {
            radius,
            amount,
            median
        }),
    ]
}

proptest! {
    #[test]
    fn canonical_parses_to_itself(
        region in region(),
        size in size(),
        rotation in rotation(),
        quality in quality(),
        format in prop::sample::select(OutputFormat::ALL.to_vec()),
    ) {
        let request = Request { region, size, rotation, quality, format };
        let text = request.to_string();
        prop_assert_eq!(text.parse::<Request>().unwrap(), request);
    }

    #[test]
    fn no_text_panics(text in "\\PC*", json in "\\PC*") {
        let _ = text.parse::<Request>();
        let _ = text.parse::<Derivative>();
        let _ = Recipe::parse_json(&json);
    }

    #[test]
    fn no_request_like_text_panics(text in "[a-z0-9,:^!./-]{0,60}") {
        if let Ok(request) = text.parse::<Request>() {
            prop_assert_eq!(request.to_string().parse::<Request>().unwrap(), request);
        }
    }
}

#[test]
fn canonical_spellings() {
    for (given, canonical) in [
        ("full/full/0/default.jpg", "full/max/0/default.jpg"),
        ("full/max/360/gray.png", "full/max/0/gray.png"),
        ("full/max/!022.50/gray.png", "full/max/!22.5/gray.png"),
        ("pct:01,2.0,3,4/^!10,20/90/color.webp", "pct:1,2,3,4/^!10,20/90/color.webp"),
        ("-1,-1,320,240/,20/-1/crisp.gif", "-1,-1,320,240/,20/-1/crisp:2,0.5,0.025.gif"),
        ("0,0,1,1/^pct:250/0/dither.avif", "0,0,1,1/^pct:250/0/dither.avif"),
        ("full/^max/0/crisp:1,2,3.ptif", "full/^max/0/crisp:1,2,3.ptif"),
    ] {
        assert_eq!(given.parse::<Request>().unwrap().to_string(), canonical, "{given}");
    }
}

#[test]
fn edition_2_may_enlarge_and_keeps_its_own_spelling() {
    let old = Request::parse("full/!2048,1536/0/color.jpg", Edition::V2).unwrap();
    assert_eq!(old.to_string(), "full/^!2048,1536/0/color.jpg");
    assert_eq!(old.spelled(Edition::V2), "full/!2048,1536/0/color.jpg");
    let whole = Request::parse("full/full/0/default.jpg", Edition::V2).unwrap();
    assert_eq!(whole.spelled(Edition::V2), "full/full/0/default.jpg");
    assert!(!whole.size.upscale);
}

#[test]
fn a_bad_request_names_the_token_and_what_was_allowed() {
    for (request, token, allowed) in [
        ("round/max/0/gray.jpg", "region “round”", "square"),
        ("0,0,0,5/max/0/gray.jpg", "region “0,0,0,5”", "above zero"),
        ("pct:0,0,0,50/max/0/gray.jpg", "region “pct:0,0,0,50”", "above zero"),
        ("full/big/0/gray.jpg", "size “big”", "!w,h"),
        ("full/^full/0/gray.jpg", "size “^full”", "max"),
        ("full/0,/0/gray.jpg", "size “0,”", "above zero"),
        ("full/pct:101/0/gray.jpg", "size “pct:101”", "^pct:n"),
        ("full/,/0/gray.jpg", "size “,”", "w,h"),
        ("full/+5,/0/gray.jpg", "size “+5,”", "w,h"),
        ("full/max/361/gray.jpg", "rotation “361”", "0 to 360"),
        ("full/max/-2/gray.jpg", "rotation “-2”", "0 to 360"),
        ("full/max/0/grey.jpg", "quality “grey”", "bitonal"),
        ("full/max/0/gray.jpeg", "format “jpeg”", "jpg, png"),
        ("full/max/0/gray", "request", "region/size/rotation/quality.format"),
        ("full/max/gray.jpg", "request", "region/size/rotation/quality.format"),
    ] {
        let message = request.parse::<Request>().unwrap_err().to_string();
        assert!(message.contains(token) && message.contains(allowed), "{request}: {message}");
    }
}

#[test]
fn derivatives_from_the_command_line() {
    let derivative: Derivative = "50x50=square/!50,50/0/default.jpg".parse().unwrap();
    assert_eq!(derivative.label, "50x50");
    assert_eq!(derivative.canonical(), "square/!50,50/0/default.jpg");
    for bad in
        ["full/max/0/gray.jpg", "=full/max/0/gray.jpg", "..=full/max/0/gray.jpg", "a/b=full/max/0/gray.jpg"]
    {
        assert!(bad.parse::<Derivative>().is_err(), "{bad}");
    }
}

#[test]
fn canonical_names_what_changes_the_bytes() {
    let mut recipe = Recipe::gray();
    assert_eq!(recipe.derivatives()[0].canonical(), "full/max/0/gray.jpg;gray=luma");
    recipe.set_gray(GrayMethod::Average);
    recipe.set_gray(GrayMethod::Rec709);
    assert_eq!(recipe.derivatives()[0].canonical(), "full/max/0/gray.jpg;gray=average");

    let json = r##"{"a": {"q": 70, "progressive": true, "effort": 3, "background": "#102030", "dpi": 300}}"##;
    let recipe = Recipe::parse_json(json).unwrap();
    let canonical = "full/max/0/default.jpg;q=70;progressive=true;effort=3;background=#102030;dpi=300";
    assert_eq!(recipe.derivatives()[0].canonical(), canonical);

    let defaults =
        Recipe::parse_json(r#"{"a": {"q": 85, "background": "white", "metadata": "strip"}}"#).unwrap();
    assert_eq!(defaults.derivatives()[0].canonical(), "full/max/0/default.jpg");
}

#[test]
fn instruction_files_keep_their_order() {
    let json = r#"{
        "o": {"size": "full", "format": "", "rotation": "-1"},
        "b": {"size": "!2048,1536", "format": "jpg"},
        "a": {"rotation": 90, "quality": null},
        "d": {"size": "full", "quality": "dither", "region": "-1,-1,320,320", "format": "jpg"}
    }"#;
    let recipe = Recipe::parse_json_as(json, Edition::V2).unwrap();
    let found: Vec<_> =
        recipe.derivatives().iter().map(|d| (d.label.as_str(), d.request.spelled(Edition::V2))).collect();
    let expected = [
        ("o", "full/full/-1/default.jpg"),
        ("b", "full/!2048,1536/0/default.jpg"),
        ("a", "full/full/90/default.jpg"),
        ("d", "-1,-1,320,320/full/0/dither.jpg"),
    ];
    assert_eq!(found, expected.map(|(label, request)| (label, request.to_owned())));
}

#[test]
fn recipe_files_are_refused_by_name() {
    for (json, named) in [
        ("{}", "no derivatives"),
        ("[]", "object"),
        (r#"{"a": {"colour": "red"}}"#, "colour"),
        (r#"{"a": {}, "a": {}}"#, "label “a”"),
        (r#"{"a": {"size": "huge"}}"#, "derivative “a”: size “huge”"),
        (r#"{"a": {"quality": "crisp:51,1,1"}}"#, "quality “crisp:51,1,1”"),
        (r#"{"a": {"quality": "crisp:2,1,10.5"}}"#, "median up to 10"),
        (r#"{"a": {"metadata": "keep", "format": "gif"}}"#, "“metadata” has no meaning for gif"),
        (r#"{"a": {"q": 0}}"#, "q “0”"),
        (r#"{"a": {"effort": 11}}"#, "effort “11”"),
        (r#"{"a": {"background": "red"}}"#, "background “red”"),
        (r#"{"a b": {}}"#, "label “a b”"),
        (r#"{"a": {"q": 300}}"#, "300"),
        (r#"{"a": {"tile": 100, "format": "ptif"}}"#, "tile “100”"),
        (r#"{"a": {"q": 50, "format": "png"}}"#, "“q” has no meaning for png"),
    ] {
        let message = Recipe::parse_json(json).unwrap_err().to_string();
        assert!(message.contains(named), "{json}: {message}");
    }
}
