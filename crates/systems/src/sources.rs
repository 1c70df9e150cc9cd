//! Whose images a system reads, and what follows from that: the one place that decides where images are made unless a
//! user says otherwise.

/// Whose images a system reads. Each system's module says so in a constant of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Those of the person who runs it: a list or files that they named themselves.
    Own,
    /// Anybody's who can put a message into a queue or an object into a bucket: workers, Lambda handlers, bucket scans.
    Strangers,
}

impl Sources {
    /// Whether every image is made in a derive process, and not only those whose decoders are known to end theirs.
    pub const fn isolated(self) -> bool {
        match self {
            Sources::Own => false,
            Sources::Strangers => true,
        }
    }
}
