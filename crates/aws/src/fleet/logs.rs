//! CloudWatch Logs: the lines of a stream, from its beginning on.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsError;
use imgmill_pipeline::Error;

use super::{Account, Page};
use crate::failure::{self, Service};

const LOGS: Service = Service { name: "CloudWatch Logs", missing: &[], advice: "" };

/// CloudWatch Logs in an account.
#[derive(Debug, Clone)]
pub struct CloudWatchLogs {
    client: Client,
}

impl CloudWatchLogs {
    /// Of this account; in another region where the lines go there.
    pub fn of(account: &Account, region: Option<&str>) -> CloudWatchLogs {
        let mut config = aws_sdk_cloudwatchlogs::config::Builder::from(&account.config);
        if let Some(region) = region {
            config = config.region(aws_config::Region::new(region.to_owned()));
        }
        CloudWatchLogs { client: Client::from_conf(config.build()) }
    }

    /// The lines of a stream after those that `from` stands behind; nothing where there is no such stream (yet).
    ///
    /// # Errors
    /// What CloudWatch Logs answers.
    pub async fn read(&self, group: &str, stream: &str, from: Option<&str>) -> Result<Option<Page>, Error> {
        let asked = self.client.get_log_events().log_group_name(group).log_stream_name(stream);
        let answer = asked.start_from_head(true).set_next_token(from.map(str::to_owned)).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => match error.as_service_error() {
                Some(GetLogEventsError::ResourceNotFoundException(_)) => return Ok(None),
                _ => return Err(failure::failure(&LOGS, "reading the log stream", stream, &error)),
            },
        };
        let lines = answer.events().iter().map(|event| {
            (event.timestamp().unwrap_or_default(), event.message().unwrap_or_default().to_owned())
        });
        Ok(Some(Page { lines: lines.collect(), next: answer.next_forward_token().map(str::to_owned) }))
    }
}
