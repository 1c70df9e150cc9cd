//! What each stage but derive costs a row: the list read, bytes fetched from a file, an object and its
//! pointer stored in a folder, a line reported. (Derive is benched in `imgmill-image`.)
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write as _;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt as _;
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::outcome::{Derived, SourceFacts, StoredRendition, Timings};
use imgmill_pipeline::report::{OutputList, Reporter as _};
use imgmill_pipeline::source::Source as _;
use imgmill_pipeline::source::list::{List, ListInput};
use imgmill_pipeline::store::{Pointer, PutSettings, Store};
use imgmill_pipeline::{Instructions, Job, Limits, Outcome, Status};

const ROWS: u64 = 10_000;
/// A JPEG's beginning and then anything: fetch looks no further.
const IMAGE: usize = 170 << 10;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn image() -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec();
    bytes.resize(IMAGE, 7);
    bytes
}

fn source(bench: &mut Criterion) {
    let mut list = tempfile::NamedTempFile::new().unwrap();
    writeln!(list, "url").unwrap();
    (0..ROWS)
        .for_each(|row| writeln!(list, "https://images.example.org/collection/{row}.jpg?w=1000").unwrap());
    let (runtime, instructions) = (runtime(), Arc::new(Instructions::gray()));
    let mut group = bench.benchmark_group("source");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("a list, checked and read", |b| {
        b.to_async(&runtime).iter(async || {
            let list = List::open(ListInput::new(list.path()), Arc::clone(&instructions)).unwrap();
            assert_eq!(list.deliveries().count().await as u64, ROWS);
        });
    });
}

fn fetch(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    std::fs::write(&path, image()).unwrap();
    let fetcher =
        Fetcher::new(&Limits::default(), folder.path().to_owned(), ObjectOptions::default()).unwrap();
    let (runtime, never) = (runtime(), tokio_util::sync::CancellationToken::new());
    let mut group = bench.benchmark_group("fetch");
    group.throughput(Throughput::Bytes(IMAGE as u64));
    group.bench_function("a file, counted and hashed", |b| {
        b.to_async(&runtime)
            .iter(async || fetcher.fetch(path.to_str().unwrap(), None, &never).await.unwrap());
    });
}

fn store(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(folder.path()).unwrap();
    let runtime = runtime();
    let options = ObjectOptions::default();
    let store = runtime.block_on(Store::open(url.as_str(), &options, PutSettings::default())).unwrap();
    let bytes = bytes::Bytes::from(image());
    let number = std::sync::atomic::AtomicU64::new(0);
    let mut group = bench.benchmark_group("store");
    group.throughput(Throughput::Bytes(IMAGE as u64));
    group.bench_function("an object and its pointer", |b| {
        b.to_async(&runtime).iter(async || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            store.create(&format!("{number}.jpg"), bytes.clone(), &"image/jpeg".into()).await.unwrap();
            let pointer = Pointer::new("u", Default::default(), String::new(), 1, (1, 1));
            store.set_pointer(&format!("http://h/{number}"), &pointer).await.unwrap();
        });
    });
}

fn report(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut list = OutputList::create(&folder.path().join("output.csv"), 1, None).unwrap();
    let rendition = StoredRendition {
        label: "gray".into(),
        key: "0123456789abcdef.jpg".into(),
        url: "https://bucket.s3.eu-west-1.amazonaws.com/0123456789abcdef.jpg".into(),
        bytes: 1,
        width: 1,
        height: 1,
        kept: None,
    };
    let outcome = Outcome {
        job: Job {
            row: 1,
            url: "https://images.example.org/collection/1.jpg?w=1000".into(),
            instructions: Instructions::gray().into(),
            columns: None,
        },
        status: Status::Done,
        attempts: 1,
        downloaded: 1,
        timings: Timings::default(),
        result: Ok(Arc::new(Derived {
            source: SourceFacts::default(),
            renditions: vec![rendition],
            left_out: Vec::new(),
            findings: None,
        })),
    };
    let runtime = runtime();
    bench.bench_function("report/a line", |b| b.iter(|| runtime.block_on(list.report(&outcome)).unwrap()));
}

criterion_group!(stages, source, fetch, store, report);
criterion_main!(stages);
