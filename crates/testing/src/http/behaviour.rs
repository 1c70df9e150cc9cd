//! What a route does with a request: answer honestly, or one of the ways in which servers go wrong.

use std::time::Duration;

use super::Answer;

/// What a route does. Where one carries an [`Answer`], the status and headers are sent as they stand;
/// what goes wrong is the body.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers as it should (304 to a conditional request that matches).
    Answer(Answer),
    /// The first request meets the first behaviour, and so on; the last one stays.
    Sequence(Vec<Behaviour>),
    /// Waits, then does something else.
    Delayed(Duration, Box<Behaviour>),
    /// Announces the whole body by length or as chunks, sends this many bytes of it, and closes.
    Truncated(Answer, usize),
    /// Sends the body in pieces of this many bytes with a pause after each.
    Slow(Answer, usize, Duration),
    /// Sends one byte, pauses, and so on for ever (the body first, zeros after it).
    Drip(Answer, Duration),
    /// Sends the body and then zeros, as fast as the client reads, for ever.
    Endless(Answer),
    /// Takes the request and never says a word.
    Silence,
    /// Resets the connection (an RST, not an orderly close) once it has read the request.
    ResetAtOnce,
    /// Sends the head and this many bytes of the body, then resets the connection.
    ResetAfter(Answer, usize),
}

impl Behaviour {
    /// One behaviour a request; the last one stays.
    pub fn sequence<B: Into<Self>>(steps: impl IntoIterator<Item = B>) -> Self {
        Self::Sequence(steps.into_iter().map(Into::into).collect())
    }

    /// Answers `status` this many times, then does what it should.
    pub fn failing_first(times: usize, status: u16, then: impl Into<Self>) -> Self {
        let failures = std::iter::repeat_n(Self::from(Answer::status(status)), times);
        Self::Sequence(failures.chain([then.into()]).collect())
    }

    /// Waits, then does `then`.
    pub fn delayed(wait: Duration, then: impl Into<Self>) -> Self {
        Self::Delayed(wait, Box::new(then.into()))
    }

    /// What to do for the request number `served` (from zero) of this route.
    pub(super) fn step(&self, served: usize) -> &Self {
        match self {
            Self::Sequence(steps) => {
                steps.get(served).or(steps.last()).expect("a sequence has at least one step").step(0)
            }
            other => other,
        }
    }
}

impl From<Answer> for Behaviour {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
