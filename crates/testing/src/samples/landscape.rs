//! Draws a landscape: a sky with clouds and a sun, ridges one behind another, a meadow, and a signboard
//! with lettering. Together they have what trips image code up: smooth gradients, hard edges, fine
//! texture, saturated colour and a little sensor noise.

use super::Photo;
use super::noise::{Octaves, blend, hash, random};

type Colour = [f32; 3];

/// A picture for a seed, the same on every machine.
pub fn photo(seed: u64, width: u32, height: u32) -> Photo {
    let scene = Scene::new(seed, width as usize, height as usize);
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height as usize {
        for x in 0..width as usize {
            let grain = (hash(seed ^ 0x6EA1, x as u32, y as u32) & 7) as f32 - 3.5;
            pixels.extend(scene.colour(x, y).map(|channel| (channel + grain).clamp(0.0, 255.0) as u8));
        }
    }
    let mut drawn = Photo { width, height, pixels };
    draw_signboard(&mut drawn, seed);
    drawn
}

/// Everything decided before the first pixel.
struct Scene {
    width: usize,
    height: usize,
    zenith: Colour,
    horizon: Colour,
    ground: Colour,
    clouds: Vec<f32>,
    texture: Vec<f32>,
    /// For each ridge, far to near: the row of its crest in every column.
    ridges: Vec<Vec<f32>>,
    sun: (f32, f32, f32),
}

impl Scene {
    fn new(seed: u64, width: usize, height: usize) -> Self {
        let chance = |what: u32| random(seed, what, 0x5CE0);
        let long_side = width.max(height).next_power_of_two().max(8);
        let clouds = Octaves { largest: long_side / 4, smallest: 8, roughness: 0.55 };
        let texture = Octaves { largest: long_side / 16, smallest: 1, roughness: 0.8 };
        let (w, h) = (width as f32, height as f32);
        Self {
            width,
            height,
            zenith: [30.0 + 60.0 * chance(1), 70.0 + 70.0 * chance(2), 150.0 + 80.0 * chance(3)],
            horizon: [190.0 + 60.0 * chance(4), 150.0 + 80.0 * chance(5), 120.0 + 110.0 * chance(6)],
            ground: [60.0 + 110.0 * chance(7), 90.0 + 90.0 * chance(8), 30.0 + 60.0 * chance(9)],
            clouds: clouds.draw(seed ^ 0xC10D, width, height),
            texture: texture.draw(seed ^ 0x7E87, width, height),
            ridges: (0..4).map(|depth| ridge(seed, depth, width, h)).collect(),
            sun: (w * chance(10), h * (0.1 + 0.25 * chance(11)), w.max(h) * (0.03 + 0.05 * chance(12))),
        }
    }

    fn colour(&self, x: usize, y: usize) -> Colour {
        let place = y * self.width + x;
        let row = y as f32;
        match self.ridges.iter().rposition(|crest| row >= crest[x]) {
            Some(depth) => self.land(depth, row - self.ridges[depth][x], self.texture[place]),
            None => self.sky(x as f32, row, self.clouds[place]),
        }
    }

    fn sky(&self, x: f32, y: f32, cloud: f32) -> Colour {
        let (sun_x, sun_y, radius) = self.sun;
        let (dx, dy) = (x - sun_x, y - sun_y);
        if dx * dx + dy * dy < radius * radius {
            return [255.0, 244.0, 214.0];
        }
        let down = (y / (self.height as f32 * 0.6)).min(1.0);
        let cover = ((cloud - 0.48) * 4.0).clamp(0.0, 0.9);
        std::array::from_fn(|c| blend(blend(self.zenith[c], self.horizon[c], down), 246.0, cover))
    }

    /// Far ridges are hazy and flat; the nearest ground is rough and saturated.
    fn land(&self, depth: usize, below_crest: f32, texture: f32) -> Colour {
        let near = (depth + 1) as f32 / self.ridges.len() as f32;
        let shade = (texture - 0.5) * 420.0 * near * near + below_crest * 0.05;
        std::array::from_fn(|c| blend(self.horizon[c] * 0.8, self.ground[c], near) + shade)
    }
}

/// The crest of one ridge: a line of noise around a height that sinks as ridges come nearer.
fn ridge(seed: u64, depth: u64, width: usize, height: f32) -> Vec<f32> {
    let jagged = Octaves { largest: (width / 2).next_power_of_two().max(8), smallest: 4, roughness: 0.5 };
    let line = jagged.draw(seed ^ (0x41D6 + depth), width, 1);
    let middle = 0.42 + 0.13 * depth as f32;
    let swing = 0.45 - 0.1 * depth as f32;
    line.iter().map(|noise| height * (middle + swing * (noise - 0.5))).collect()
}

/// A pale board with dark 5×7 glyphs: sharp edges such as text and screenshots have.
fn draw_signboard(drawn: &mut Photo, seed: u64) {
    let dot = (drawn.width / 240).max(1);
    let (columns, rows) = (6 * 8 + 3, 8 * 2 + 3);
    let left = (drawn.width as f32 * (0.08 + 0.4 * random(seed, 1, 0x51C4))) as u32;
    let top = (drawn.height as f32 * (0.7 + 0.1 * random(seed, 2, 0x51C4))) as u32;
    for y in top..(top + rows * dot).min(drawn.height) {
        for x in left..(left + columns * dot).min(drawn.width) {
            let inked = is_inked(seed, (x - left) / dot, (y - top) / dot);
            let start = (y * drawn.width + x) as usize * 3;
            let colour = if inked { [28, 24, 60] } else { [238, 232, 210] };
            drawn.pixels[start..start + 3].copy_from_slice(&colour);
        }
    }
}

/// Whether a dot of the board belongs to a glyph; glyphs sit in 6×8 cells inside a margin of 2 dots.
fn is_inked(seed: u64, x: u32, y: u32) -> bool {
    let (Some(x), Some(y)) = (x.checked_sub(2), y.checked_sub(2)) else { return false };
    let (column, row) = (x % 6, y % 8);
    column < 5 && row < 7 && x / 6 < 8 && y / 8 < 2 && {
        let glyph = hash(seed, x / 6, 0x617F + y / 8);
        // Half the dots, mirrored left to right: random, yet it reads as lettering.
        hash(u64::from(glyph), column.min(4 - column), row) & 1 == 0
    }
}
