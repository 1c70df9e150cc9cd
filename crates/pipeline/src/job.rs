//! What the flow carries: a job, the delivery it came in, and how its source is told that it ended.

use std::sync::Arc;
use std::time::Duration;

use imgmill_image::Recipe;
use sha2::{Digest, Sha256};

use crate::columns::Columns;
use crate::naming::{KeyTemplate, Naming};

/// What is made of a source, and what that is called.
#[derive(Debug)]
pub struct Instructions {
    /// The derivatives.
    pub recipe: Arc<Recipe>,
    /// Their names.
    pub naming: Arc<dyn Naming>,
    /// Whether a derivative that cannot be made of a source is left out, and the others are made.
    pub forgiving: bool,
    identity: [u8; 32],
}

impl Instructions {
    /// To make `recipe`, and to name what it gives as `naming` does.
    pub fn new(recipe: Arc<Recipe>, naming: Arc<dyn Naming>) -> Self {
        let mut hasher = Sha256::new();
        for derivative in recipe.derivatives() {
            hasher.update(format!("{}={}\0", derivative.label, derivative.canonical()));
        }
        // What is to be found out is told as it is written in code: an identity lasts no longer than a run.
        hasher.update(format!("{:?}\0", recipe.services()));
        hasher.update(naming.identity());
        Instructions { recipe, naming, forgiving: false, identity: hasher.finalize().into() }
    }

    /// The same, leaving out what cannot be made of a source.
    #[must_use]
    pub fn forgiving(self) -> Self {
        Instructions { forgiving: true, ..self }
    }

    /// Gray versions under the names that they have where nobody says otherwise.
    pub fn gray() -> Self {
        Instructions::new(Recipe::gray().into(), Arc::new(KeyTemplate::default()))
    }

    /// Two instructions of one identity give the same objects of the same source.
    pub fn identity(&self) -> [u8; 32] {
        self.identity
    }
}

/// One source image to turn into all derivatives of a recipe.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its place in the source, counted from 1: reports keep this order, and a shard the numbers of the whole list.
    pub row: u64,
    /// Where the image is, as the source wrote it: a URL or a path.
    pub url: Arc<str>,
    /// What is made of it. Sources share one among all jobs that want the same.
    pub instructions: Arc<Instructions>,
    /// What else its source says of it, if that has columns.
    pub columns: Option<Arc<Columns>>,
}

/// Jobs with the receipt that their source needs to settle them: most often one, but a message may name several images.
#[derive(Debug)]
pub struct Delivery<Receipt> {
    /// The work, in rows that follow each other.
    pub jobs: Vec<Job>,
    /// Whatever the source wants back.
    pub receipt: Receipt,
}

/// What a source is told of a delivery, only after store **and** report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Finished, for good or ill: never deliver it again.
    Done,
    /// It failed in a way that may pass: deliver it again.
    Retry {
        /// Not sooner than this.
        after: Duration,
    },
    /// The program is stopping; the job is as good as it was.
    Release,
    /// It can never succeed.
    Reject,
}
