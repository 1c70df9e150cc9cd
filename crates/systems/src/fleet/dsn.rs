//! go-whosonfirst-aws DSNs: `region=us-east-1 credentials=iam:`.

use std::str::FromStr;

use imgmill_pipeline::objects::CredentialSource;

/// Where an account of AWS is, and who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dsn {
    /// The region.
    pub region: Option<String>,
    /// Where credentials are looked for.
    pub credentials: CredentialSource,
    /// A server in the place of AWS: our own addition.
    pub endpoint: Option<String>,
}

impl FromStr for Dsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Dsn, String> {
        let mut dsn = Dsn::default();
        let mut has_credentials = false;
        for pair in text.split_whitespace() {
            let (key, value) = pair
                .split_once('=')
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| format!("{pair:?} is no key=value; expected region=… credentials=…"))?;
            if value.starts_with('{') && value.ends_with('}') {
                return Err(format!("{pair} holds a placeholder; write your own {key} there"));
            }
            match key {
                "region" => dsn.region = Some(value.to_owned()),
                "credentials" => {
                    dsn.credentials = value.parse()?;
                    has_credentials = true;
                }
                "endpoint" => dsn.endpoint = Some(value.to_owned()),
                other => {
                    return Err(format!(
                        "{other} is not a key of a DSN; there are region, credentials, endpoint"
                    ));
                }
            }
        }
        match (&dsn.region, has_credentials) {
            (Some(_), true) => Ok(dsn),
            (None, _) => Err("the key region is missing; expected region=… credentials=…".to_owned()),
            (_, false) => {
                Err("the key credentials is missing; write credentials=iam:, env:, PROFILE or PATH:PROFILE"
                    .to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_kinds_of_credentials() {
        let credentials = |text: &str| {
            format!("region=us-east-1 credentials={text}").parse::<Dsn>().map(|dsn| dsn.credentials)
        };
        assert_eq!(credentials("iam:"), Ok(CredentialSource::Chain));
        assert_eq!(credentials("env:"), Ok(CredentialSource::Environment));
        let profile = |name: &str, file: Option<&str>| CredentialSource::Profile {
            name: name.to_owned(),
            file: file.map(Into::into),
        };
        assert_eq!(credentials("work"), Ok(profile("work", None)));
        assert_eq!(
            credentials("/root/.aws/credentials:work"),
            Ok(profile("work", Some("/root/.aws/credentials")))
        );
        let dsn: Dsn = "  credentials=iam:   region=eu-west-1 ".parse().unwrap();
        assert_eq!(dsn.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("", "region is missing"),
            ("region=us-east-1", "credentials is missing"),
            ("credentials=iam:", "region is missing"),
            ("us-east-1", "no key=value"),
            ("region={AWS_REGION} credentials=iam:", "placeholder"),
            ("region=a credentials=iam: zone=b", "zone is not a key"),
            ("region=a credentials=:x", "not one of iam:"),
        ] {
            let error = text.parse::<Dsn>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
