//! What derivatives cost, for the engine table of `bench/compare.py`: one JSON request a line on standard input, one
//! JSON answer a line on standard output.
//!
//! `{"source": FILE, "recipe": TEXT, "outputs": [FILE, …], "times": N}` makes the recipe once to warm up and N times
//! more, writes the last renditions to the outputs, in the recipe's order, and answers `{"cpu": [seconds, …]}`: the
//! process's CPU time of each of the N, with the source's bytes in memory. `{"source": FILE, "recipe": TEXT, "times": N,
//! "threads": T}` has T threads make the recipe N times each, and answers `{"rate": images a second, "cpu": seconds an
//! image}`.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use imgmill_image::{Limits, Recipe, Rendition, derive};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        let mut output = std::io::stdout().lock();
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Value, Box<dyn Error>> {
    let request: Value = serde_json::from_str(line)?;
    let source = std::fs::read(request["source"].as_str().ok_or("“source” is missing")?)?;
    let recipe = Recipe::parse_json(request["recipe"].as_str().ok_or("“recipe” is missing")?)?;
    let times = request["times"].as_u64().ok_or("“times” is missing")?;
    if let Some(threads) = request["threads"].as_u64() {
        return side_by_side(&source, &recipe, times, threads);
    }
    let mut renditions = make(&source, &recipe)?;
    let mut cpu = Vec::new();
    for _ in 0..times {
        drop(renditions);
        let began = cpu_seconds();
        renditions = make(&source, &recipe)?;
        cpu.push(cpu_seconds() - began);
    }
    let outputs = request["outputs"].as_array().ok_or("“outputs” is missing")?;
    for (rendition, output) in renditions.iter().zip(outputs) {
        std::fs::write(output.as_str().ok_or("an output is no file name")?, &rendition.bytes)?;
    }
    Ok(json!({ "cpu": cpu }))
}

fn make(source: &[u8], recipe: &Recipe) -> Result<Vec<Rendition>, imgmill_image::Error> {
    let mut renditions = Vec::new();
    derive(source, recipe, &mut renditions, &Limits::default())?;
    Ok(renditions)
}

fn side_by_side(source: &[u8], recipe: &Recipe, times: u64, threads: u64) -> Result<Value, Box<dyn Error>> {
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let share = || (0..times).try_for_each(|_| make(source, recipe).map(drop));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(made) => made.map_err(Box::<dyn Error>::from),
            Err(_) => Err("a thread panicked".into()),
        })
    })?;
    let images = (times * threads) as f64;
    Ok(json!({ "rate": images / began.elapsed().as_secs_f64(), "cpu": (cpu_seconds() - cpu) / images }))
}

/// CPU time of all threads of this process so far, those that ended too.
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The wall clock, where there is nothing better: fair on an idle machine only.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64()
}
