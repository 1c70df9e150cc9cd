//! What the common jobs cost: `cargo bench -p imgmill-image`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use imgmill_image::{Derivative, GrayMethod, Limits, Recipe, derive};

/// A JPEG with as much detail as a photograph has.
fn photograph(width: u32, height: u32) -> Vec<u8> {
    let mut noise = 12_345u32;
    let mut data = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = f64::from(noise >> 28) - 8.0;
            let (u, v) = (f64::from(x) / 90.0, f64::from(y) / 70.0);
            for phase in [0.0, 1.3, 2.1] {
                data.push((128.0 + 70.0 * (u + phase).sin() * (v - phase).cos() + grain) as u8);
            }
        }
    }
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fastest);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&data));
    written.unwrap_or_else(|e| panic!("the picture could not be made: {e}"));
    run(&png, &recipe(&["a=full/max/0/default.jpg"]))
}

fn recipe(derivatives: &[&str]) -> Recipe {
    let parsed: Result<Vec<Derivative>, _> = derivatives.iter().map(|text| text.parse()).collect();
    parsed.and_then(Recipe::new).unwrap_or_else(|e| panic!("{e}"))
}

fn run(source: &[u8], recipe: &Recipe) -> Vec<u8> {
    let mut renditions = Vec::new();
    derive(source, recipe, &mut renditions, &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
    renditions.remove(0).bytes
}

fn jobs(criterion: &mut Criterion) {
    let (small, large) = (photograph(1000, 750), photograph(2725, 2225));
    let mut average = Recipe::gray();
    average.set_gray(GrayMethod::Average);
    let three = [
        "50=square/!50,50/0/default.jpg",
        "250=square/!250,250/0/default.jpg",
        "800=square/!800,800/0/default.jpg",
    ];
    let cases = [
        ("lossless gray, 6 MP", &large, Recipe::gray()),
        ("average gray, 6 MP", &large, average),
        ("250 px from 1000 px", &small, recipe(&["a=full/250,/0/default.jpg"])),
        ("250 px WebP from 1000 px", &small, recipe(&["a=full/250,/0/default.webp"])),
        ("720 px from 6 MP", &large, recipe(&["a=full/720,/0/default.jpg"])),
        ("50, 250 and 800 px from 6 MP", &large, recipe(&three)),
    ];
    let mut group = criterion.benchmark_group("derive");
    group.sample_size(20);
    for (name, source, recipe) in cases {
        group.throughput(Throughput::Bytes(source.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| run(black_box(source), &recipe)));
    }
    group.finish();
}

criterion_group!(benches, jobs);
criterion_main!(benches);
