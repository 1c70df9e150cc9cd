//! A message of image-service: what it asks for, and everything else that travels on with it untouched.
//!
//! A field that is not ours keeps its very text: a number too large for any machine's integer comes out as it went in.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

/// The field with the postback's shared secret.
const SECRET: &str = "postback_secret_key";
/// The field that says what went wrong.
const ERROR: &str = "error";

/// The fields that name images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageField {
    /// `image_url`
    ImageUrl,
    /// `itunes_image`
    ItunesImage,
}

impl ImageField {
    /// Both, in the order that they are worked on and reported in.
    pub const ALL: [ImageField; 2] = [ImageField::ImageUrl, ImageField::ItunesImage];

    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            ImageField::ImageUrl => "image_url",
            ImageField::ItunesImage => "itunes_image",
        }
    }

    /// The name of the field that is added for it.
    pub fn info_name(self) -> &'static str {
        match self {
            ImageField::ImageUrl => "image_url_info",
            ImageField::ItunesImage => "itunes_image_info",
        }
    }
}

/// A message as it came: its fields in their order, each with its own text.
#[derive(Debug, Clone)]
pub struct Message {
    fields: Vec<(String, Box<RawValue>)>,
}

/// What went wrong, for those that the message goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field that it went wrong with.
    pub field: &'static str,
    /// Where.
    pub stage: &'static str,
    /// What, as a word.
    pub kind: &'static str,
    /// What, as a sentence.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
}

impl Message {
    /// Reads a message's text.
    ///
    /// # Errors
    /// Why it is none: one sentence.
    pub fn parse(text: &str) -> Result<Message, String> {
        serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
    }

    /// The images that it names, each with its URL.
    pub fn images(&self) -> Vec<(ImageField, String)> {
        let named = |field: ImageField| Some((field, self.text(field.name())?));
        ImageField::ALL.into_iter().filter_map(named).collect()
    }

    /// The queue that it goes on to.
    pub fn redirect_queue(&self) -> Option<String> {
        self.text("redirect_queue")
    }

    /// Where it is posted to.
    pub fn postback_url(&self) -> Option<String> {
        self.text("postback_url")
    }

    /// The folder that its images go into, below `images-resized`.
    ///
    /// # Errors
    /// A name that is more than one folder's, or leads out of it.
    pub fn bucket_name(&self) -> Result<Option<String>, String> {
        let Some(name) = self.text("bucket_name") else { return Ok(None) };
        if name.contains('/') || name.contains("..") || name == "." || name.contains(char::is_control) {
            return Err("bucket_name may not hold \"/\" or \"..\" or control characters".to_owned());
        }
        Ok(Some(name))
    }

    /// Whether anything is to be done: there is an image, and somebody to tell.
    ///
    /// # Errors
    /// What is missing: one sentence.
    pub fn asks_for_something(&self) -> Result<(), &'static str> {
        if self.images().is_empty() {
            return Err("it has neither image_url nor itunes_image");
        }
        if self.redirect_queue().is_none() && self.postback_url().is_none() {
            return Err("it has neither redirect_queue nor postback_url");
        }
        Ok(())
    }

    /// Whether a worker will be able to do what it asks, as far as its text shows.
    ///
    /// # Errors
    /// What is wrong: one sentence.
    pub fn check(&self) -> Result<(), String> {
        self.asks_for_something()?;
        self.bucket_name()?;
        let images = self.images().into_iter().map(|(field, url)| (field.name(), url));
        for (name, url) in images.chain(self.postback_url().map(|url| ("postback_url", url))) {
            let parsed = Url::parse(&url).map_err(|error| format!("{name} is not a URL: {error}"))?;
            if !matches!(parsed.scheme(), "http" | "https") {
                return Err(format!("{name} is not an http or https URL"));
            }
        }
        Ok(())
    }

    /// A field that holds text, other than none.
    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.fields.iter().rfind(|(known, _)| known == name)?;
        let text: String = serde_json::from_str(value.get()).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A name for the message that depends on the images it is about, for queues that keep order by it.
    pub fn subject(&self) -> String {
        let id = self.fields.iter().find(|(name, _)| name == "_id").map(|(_, value)| value.get().to_owned());
        id.unwrap_or_else(|| self.images().into_iter().map(|(_, url)| url).collect::<Vec<_>>().join(" "))
    }

    /// Puts a field in the place of what it had, at the end where it had none.
    fn set(&mut self, name: &str, value: &impl Serialize) -> Result<(), serde_json::Error> {
        let value = serde_json::value::to_raw_value(value)?;
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value));
        Ok(())
    }

    /// Adds what is known of an image's renditions.
    pub(super) fn add_info(
        &mut self,
        field: ImageField,
        info: &impl Serialize,
    ) -> Result<(), serde_json::Error> {
        self.set(field.info_name(), info)
    }

    /// Adds what went wrong.
    pub(super) fn add_problem(&mut self, problem: &Problem) -> Result<(), serde_json::Error> {
        self.set(ERROR, problem)
    }

    /// As it is posted back: with the secret that both sides know, or without any.
    pub(super) fn for_postback(&self, secret: Option<&str>) -> Result<String, serde_json::Error> {
        let mut message = self.clone();
        message.fields.retain(|(name, _)| name != SECRET);
        if let Some(secret) = secret {
            message.set(SECRET, &secret)?;
        }
        message.to_text()
    }

    /// Its text.
    pub(super) fn to_text(&self) -> Result<String, serde_json::Error> {
        let mut text = String::from("{");
        for (name, value) in &self.fields {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::to_string(name)?);
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        Ok(text)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Message;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Message { fields })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(text).unwrap()
    }

    #[test]
    fn reads_what_the_document_shows() {
        let message = message(
            r#"{"image_url":"http://i/a.jpg","itunes_image":null,"bucket_name":"Test Bucket","redirect_queue":"Q","postback_url":" "}"#,
        );
        assert_eq!(message.images(), [(ImageField::ImageUrl, "http://i/a.jpg".to_owned())]);
        assert_eq!(message.redirect_queue().as_deref(), Some("Q"));
        assert_eq!(message.postback_url(), None);
        assert_eq!(message.bucket_name().unwrap().as_deref(), Some("Test Bucket"));
        assert!(message.check().is_ok());
    }

    #[test]
    fn says_what_is_missing_or_wrong() {
        for (text, says) in [
            (r#"{"postback_url":"http://p"}"#, "neither image_url nor itunes_image"),
            (r#"{"image_url":"http://i","x":1}"#, "neither redirect_queue nor postback_url"),
            (r#"{"image_url":7,"postback_url":"http://p"}"#, "neither image_url"),
            (r#"{"image_url":"i.jpg","postback_url":"http://p"}"#, "image_url is not a URL"),
            (r#"{"image_url":"file:///etc/passwd","redirect_queue":"q"}"#, "image_url is not an http"),
            (
                r#"{"image_url":"http://i","bucket_name":"../x","redirect_queue":"q"}"#,
                "bucket_name may not hold",
            ),
            (
                r#"{"image_url":"http://i","bucket_name":"a/b","redirect_queue":"q"}"#,
                "bucket_name may not hold",
            ),
        ] {
            let said = message(text).check().unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
        for bad in ["", "[]", "7", "{", "null", "\u{feff}{}"] {
            assert!(Message::parse(bad).unwrap_err().contains("not a JSON object"), "{bad}");
        }
    }

    #[test]
    fn what_is_not_ours_keeps_its_text() {
        let text = r#"{"n":12345678901234567890123456789012345678901234567890,"f":1.10,"e":1e400,"u":"\u00e9 é 🎧","nested":{"a":[null,true,{"b":[]}],"z":-0},"":null,"_id":{"$oid":"5f"},"dup":1,"dup":2}"#;
        assert_eq!(message(text).to_text().unwrap(), text);
        let mut changed = message(text);
        changed.add_info(ImageField::ImageUrl, &serde_json::json!({"50x50": {}})).unwrap();
        let with_info = changed.to_text().unwrap();
        assert_eq!(with_info, text.replace("\"dup\":2}", "\"dup\":2,\"image_url_info\":{\"50x50\":{}}}"));
    }

    #[test]
    fn the_secret_is_ours_or_absent() {
        let message = message(r#"{"a":1,"postback_secret_key":"theirs"}"#);
        assert_eq!(message.for_postback(None).unwrap(), r#"{"a":1}"#);
        assert_eq!(message.for_postback(Some("s\"")).unwrap(), r#"{"a":1,"postback_secret_key":"s\""}"#);
    }

    proptest::proptest! {
        #[test]
        fn every_object_travels_unchanged(names in proptest::collection::vec(".{0,8}", 0..6), text in ".{0,20}", number: i128) {
            let mut object = serde_json::Map::new();
            for (index, name) in names.iter().enumerate() {
                object.insert(format!("{index}{name}"), serde_json::json!([text.clone(), {"n": number.to_string()}, null]));
            }
            let text = serde_json::to_string(&object).unwrap();
            proptest::prop_assert_eq!(message(&text).to_text().unwrap(), text);
        }
    }
}
