//! oximg as a peer: answers the requests that `worker.py` beside this project describes. Takes `"defaults": true` for
//! oximg's own choices (jpegli, resizing in linear light) instead of those the other peers share (a libjpeg encoder
//! with optimised Huffman tables, resizing the values as they are stored).

use std::error::Error;
use std::io::BufRead;

use oximg::pipeline::{Encoder, ImageFormat, Params, process};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
    }
    Ok(())
}

fn answer(line: &str) -> Result<Value, Box<dyn Error>> {
    let request: Value = serde_json::from_str(line)?;
    let source = std::fs::read(request["source"].as_str().ok_or("no source")?)?;
    let times = request["times"].as_u64().ok_or("no times")?;
    let sizes = request["sizes"].as_array().ok_or("only resizing")?;
    let wanted: Vec<Params> = sizes.iter().map(|size| params(&request, size)).collect();
    let mut files = make(&source, &wanted)?;
    let mut cpu = Vec::new();
    for _ in 0..times {
        let began = cpu_seconds();
        files = make(&source, &wanted)?;
        cpu.push(cpu_seconds() - began);
    }
    for (file, output) in files.iter().zip(request["outputs"].as_array().ok_or("no outputs")?) {
        std::fs::write(output.as_str().ok_or("no file name")?, file)?;
    }
    Ok(json!({ "cpu": cpu }))
}

fn params(request: &Value, size: &Value) -> Params {
    let size = size.as_u64().unwrap_or(0) as u32;
    let quality = request["quality"].as_f64().unwrap_or(80.0) as f32;
    let own = request["defaults"] == true;
    Params {
        max_width: size,
        max_height: size,
        quality,
        webp_quality: Some(quality),
        encoder: if own { Encoder::Jpegli } else { Encoder::MozFast },
        linear_light: Some(own),
        output: match request["format"].as_str() {
            Some("webp") => Some(ImageFormat::Webp),
            Some("png") => Some(ImageFormat::Png),
            _ => Some(ImageFormat::Jpeg),
        },
        ..Params::default()
    }
}

fn make(source: &[u8], wanted: &[Params]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    wanted.iter().map(|params| Ok(process(source, params)?.0)).collect()
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
