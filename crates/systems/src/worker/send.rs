//! Sending messages to a worker's queue: checked first, since what is wrong with one is best known by who writes it.

use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::source::queue::{Outgoing, Queue};
use imgmill_pipeline::{Error, Kind, Stage};

use super::message::Message;

/// What a queue takes in one message.
const LONGEST: usize = 256 << 10;
/// Sent at once; SQS takes no more.
const AT_ONCE: usize = 10;

/// Names of a FIFO queue that are the same for all messages of one sending.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The group that keeps its order. Default: one for each image, or `_id` where there is one.
    pub group: Option<String>,
    /// What a message is known by for five minutes. Default: the hash of its text.
    pub deduplication: Option<String>,
}

/// Checks a message's text and makes it ready to be sent.
///
/// # Errors
/// What is wrong with it: one sentence.
pub fn outgoing(text: &str, names: &Names) -> Result<Outgoing, String> {
    let message = Message::parse(text)?;
    message.check()?;
    if text.len() > LONGEST {
        return Err(format!("it has {} bytes, and queues take {LONGEST}", text.len()));
    }
    let body = text.trim().to_owned();
    Ok(Outgoing {
        group: names.group.clone().unwrap_or_else(|| text_hash(&message.subject())),
        name: names.deduplication.clone().unwrap_or_else(|| text_hash(&body)),
        body,
    })
}

/// Sends messages, ten at once, and answers how many. Everything that [`outgoing`] makes may be sent.
///
/// ```no_run
/// use imgmill_systems::worker::{QueueSettings, send};
///
/// # async fn example(settings: QueueSettings) -> Result<(), Box<dyn std::error::Error>> {
/// let queue = settings.open().await?.queue;
/// let text = r#"{"image_url": "https://example.org/a.jpg", "postback_url": "https://example.org/done"}"#;
/// let message = send::outgoing(text, &send::Names::default())?;
/// send::send(&*queue, &[message]).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the queue does not take them; it says how many were sent before.
pub async fn send(queue: &dyn Queue, messages: &[Outgoing]) -> Result<usize, Error> {
    let mut sent = 0;
    for batch in messages.chunks(AT_ONCE) {
        queue.send(batch).await.map_err(|error| {
            let message = format!("{sent} messages were sent before this failed");
            Error::new(Stage::Report, Kind::Io, message).transient(error.is_transient()).caused_by(error)
        })?;
        sent += batch.len();
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_checked_before_it_is_sent() {
        let names = Names::default();
        let good = r#" {"image_url":"http://i/a.jpg","redirect_queue":"Q"} "#;
        let one = outgoing(good, &names).unwrap();
        assert_eq!(one.body, good.trim());
        let other = outgoing(&good.replace("Q", "R"), &names).unwrap();
        assert_eq!(one.group, other.group, "messages about one image keep their order");
        assert_ne!(one.name, other.name);
        assert!(outgoing("{}", &names).unwrap_err().contains("neither image_url"));
        let long = good.replace("Q", &"x".repeat(LONGEST));
        assert!(outgoing(&long, &names).unwrap_err().contains("bytes"));
    }
}
