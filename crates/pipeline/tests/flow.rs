//! The flow, from a source of the test's own: several jobs in a delivery, who is told, and when.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt as _, stream};
use imgmill_image::Recipe;
use imgmill_pipeline::derive::isolated::Program;
use imgmill_pipeline::derive::{Deriver, Isolation};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::naming::{Named, Naming, Placement};
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::report::{Order, Reporter};
use imgmill_pipeline::source::Source;
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_pipeline::{Delivery, End, Error, Instructions, Job, Limits, Outcome, Settlement, Stages, run};
use imgmill_testing::samples::{encode, photo};
use tokio_util::sync::CancellationToken;

/// What happened, in the order it happened in.
type Diary = Arc<Mutex<Vec<String>>>;

/// Deliveries by name, each with the images of its jobs.
struct Messages {
    of: Vec<(&'static str, Vec<Job>)>,
    diary: Diary,
}

impl Source for Messages {
    type Receipt = &'static str;

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<&'static str>, Error>> + Send {
        let of = self.of.clone();
        stream::iter(of).map(|(receipt, jobs)| Ok(Delivery { jobs, receipt }))
    }

    async fn tell(&self, receipt: &&'static str, outcomes: &[Outcome]) -> Settlement {
        let rows: Vec<u64> = outcomes.iter().map(|outcome| outcome.job.row).collect();
        self.diary.lock().unwrap().push(format!("told {receipt} {rows:?}"));
        if *receipt == "kept" { Settlement::Release } else { Settlement::of(outcomes) }
    }

    async fn settle(&self, receipt: &'static str, settlement: Settlement) -> Result<(), Error> {
        self.diary.lock().unwrap().push(format!("settled {receipt} {settlement:?}"));
        Ok(())
    }
}

struct Heard(Diary);

#[async_trait::async_trait]
impl Reporter for Heard {
    fn order(&self) -> Order {
        Order::AsListed
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let what = format!("reported {} {}", outcome.job.row, outcome.status.as_str());
        self.0.lock().unwrap().push(what);
        Ok(())
    }
}

/// Every image under one name.
#[derive(Debug)]
struct Always(&'static str, Placement);

impl Naming for Always {
    fn key(&self, _: &Named<'_>) -> Result<String, Error> {
        Ok(self.0.to_owned())
    }

    fn placement(&self) -> Placement {
        self.1
    }

    fn identity(&self) -> String {
        format!("{self:?}")
    }
}

async fn stages(folder: &Path, limits: &Limits, pointers: bool) -> Stages {
    let store = url::Url::from_directory_path(folder.join("store")).unwrap();
    let objects = ObjectOptions::default();
    let nobody = Program { path: "/nonexistent".into(), arguments: Vec::new() };
    Stages {
        fetcher: Fetcher::new(limits, folder.to_owned(), objects.clone()).unwrap(),
        delegates: None,
        deriver: Deriver::new(limits, Isolation { everywhere: false, program: nobody }).unwrap(),
        store: Store::open(store.as_str(), &objects, PutSettings::default()).await.unwrap(),
        freshness: Freshness::default(),
        pointers,
        keeper: None,
        spool_dir: folder.to_owned(),
        dry_run: false,
    }
}

fn image(folder: &Path, name: &str, seed: u64) -> String {
    let path = folder.join(name);
    std::fs::write(&path, encode::png(&photo(seed, 24, 16))).unwrap();
    path.display().to_string()
}

fn instructions(key: &'static str, placement: Placement) -> Arc<Instructions> {
    Arc::new(Instructions::new(Arc::new(Recipe::gray()), Arc::new(Always(key, placement))))
}

fn job(row: u64, url: &str, instructions: &Arc<Instructions>) -> Job {
    Job { row, url: url.into(), instructions: Arc::clone(instructions), columns: None }
}

#[tokio::test]
async fn a_delivery_is_told_and_settled_once_after_all_its_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let (good, gray) = (image(folder.path(), "good.png", 1), Arc::new(Instructions::gray()));
    let of = vec![
        ("pair", vec![job(1, &good, &gray), job(2, "/no/such.png", &gray)]),
        ("kept", vec![job(3, &good, &gray)]),
    ];
    let diary = Diary::default();
    let (source, limits) = (Messages { of, diary: Arc::clone(&diary) }, Limits::default());
    let stages = stages(folder.path(), &limits, true).await;
    let never = CancellationToken::new();
    let end = run(&source, stages, &mut Heard(Arc::clone(&diary)), &limits, never).await.unwrap();
    assert!(matches!(end, End::Exhausted));
    let diary = diary.lock().unwrap().clone();
    let place = |what: &str| {
        let found: Vec<usize> = (0..diary.len()).filter(|at| diary[*at].starts_with(what)).collect();
        assert_eq!(found.len(), 1, "{what}: {diary:?}");
        found[0]
    };
    assert!(place("told pair [1, 2]") < place("reported 1"));
    assert_eq!(place("reported 1") + 1, place("reported 2 failed"));
    assert_eq!(place("reported 2") + 1, place("settled pair Reject"));
    assert!(place("settled pair") < place("reported 3"), "in the source's order");
    assert_eq!(place("reported 3") + 1, place("settled kept Release"), "as the source said when it told");
}

#[tokio::test]
async fn each_job_has_its_own_instructions_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (image(folder.path(), "a.png", 1), image(folder.path(), "b.png", 2));
    let (claimed, replaced) =
        (instructions("claimed.jpg", Placement::Claimed), instructions("replaced.jpg", Placement::Replaced));
    let climbing = instructions("../climbing.jpg", Placement::Replaced);
    let of = vec![
        ("one", vec![job(1, &a, &claimed)]),
        ("two", vec![job(2, &b, &climbing)]),
        ("three", vec![job(3, &a, &replaced)]),
    ];
    let (diary, limits) = (Diary::default(), Limits::default());
    let made = async |of| {
        let source = Messages { of, diary: Arc::clone(&diary) };
        let stages = stages(folder.path(), &limits, false).await;
        run(&source, stages, &mut Heard(Arc::clone(&diary)), &limits, CancellationToken::new())
            .await
            .unwrap();
        std::mem::take(&mut *diary.lock().unwrap())
    };
    let diary_of_first = made(of).await;
    for said in ["reported 1 done", "reported 2 failed", "reported 3 done"] {
        assert!(diary_of_first.iter().any(|line| line == said), "{diary_of_first:?}");
    }
    let store = folder.path().join("store");
    let before = std::fs::read(store.join("replaced.jpg")).unwrap();
    assert_eq!(before, std::fs::read(store.join("claimed.jpg")).unwrap());
    let again = made(vec![("one", vec![job(1, &b, &claimed)]), ("two", vec![job(2, &b, &replaced)])]).await;
    assert!(again.iter().any(|line| line == "settled one Reject"), "{again:?}");
    assert!(again.iter().any(|line| line == "reported 2 done"), "{again:?}");
    assert_eq!(before, std::fs::read(store.join("claimed.jpg")).unwrap());
    assert_ne!(before, std::fs::read(store.join("replaced.jpg")).unwrap());
    assert!(!store.join(".imgmill/by-url").exists() && !folder.path().join("climbing.jpg").exists());
}
