//! The test's own side of moto's SQS: queues made, filled and looked into.

use std::collections::HashMap;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use tokio::runtime::Runtime;

use crate::endpoint;

pub struct Sqs {
    runtime: Runtime,
    client: Client,
}

impl Sqs {
    pub fn new() -> Self {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(endpoint())
            .credentials_provider(Credentials::for_tests())
            .build();
        Sqs { runtime: Runtime::new().unwrap(), client: Client::from_conf(config) }
    }

    /// Makes a queue, FIFO where its name says so, and answers its URL.
    pub fn make(&self, name: &str, redrive: Option<(&str, u32)>) -> String {
        let mut attributes = HashMap::new();
        if name.ends_with(".fifo") {
            attributes.insert(Attribute::FifoQueue, "true".to_owned());
        }
        if let Some((dead, most)) = redrive {
            let arn = format!("arn:aws:sqs:eu-west-1:123456789012:{dead}");
            let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{most}"}}"#);
            attributes.insert(Attribute::RedrivePolicy, policy);
        }
        let made = self.client.create_queue().queue_name(name).set_attributes(Some(attributes)).send();
        self.runtime.block_on(made).unwrap().queue_url.unwrap()
    }

    pub fn send(&self, url: &str, body: &str, group: Option<&str>) {
        let mut send = self.client.send_message().queue_url(url).message_body(body);
        if let Some(group) = group {
            let name =
                format!("{:x}", body.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)));
            send = send.message_group_id(group).message_deduplication_id(name);
        }
        self.runtime.block_on(send.send()).unwrap();
    }

    /// Messages that could be received, and those that somebody has.
    pub fn depth(&self, url: &str) -> (u32, u32) {
        let names =
            [Attribute::ApproximateNumberOfMessages, Attribute::ApproximateNumberOfMessagesNotVisible];
        let asked =
            self.client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
        let answer = self.runtime.block_on(asked.send()).unwrap();
        let known = answer.attributes.unwrap();
        let [waiting, in_flight] = names.map(|name| known[&name].parse().unwrap());
        (waiting, in_flight)
    }

    /// Takes everything out of a queue.
    pub fn drain(&self, url: &str) -> Vec<serde_json::Value> {
        let mut bodies = Vec::new();
        loop {
            let asked = self.client.receive_message().queue_url(url).max_number_of_messages(10);
            let messages = self.runtime.block_on(asked.send()).unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                let body = message.body.unwrap();
                bodies.push(serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body)));
                let delete = self
                    .client
                    .delete_message()
                    .queue_url(url)
                    .receipt_handle(message.receipt_handle.unwrap());
                self.runtime.block_on(delete.send()).unwrap();
            }
        }
    }
}
