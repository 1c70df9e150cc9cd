//! Recipes as JSON, in the shape of go-iiif's instructions: `{ label: { region, size, rotation, quality, format } }`.
//!
//! Order is kept, a label given twice and any unknown key are refused, and a missing or empty value means `full`,
//! `full`, `0`, `default`, `jpg`. This module knows the shape; what the values mean is their own types' business.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::{Derivative, Edition, EncoderOptions, Metadata, RecipeError, Request, Size};

/// The derivatives of a recipe file, in its order.
pub(super) fn parse(text: &str, edition: Edition) -> Result<Vec<Derivative>, RecipeError> {
    let Entries(entries) = serde_json::from_str(text)
        .map_err(|e| RecipeError::new(format!("the recipe is no JSON object of derivatives: {e}")))?;
    let derivative = |(label, entry): (String, Entry)| match entry.read(edition) {
        Ok((request, options)) => Ok(Derivative { label, request, options }),
        Err(e) => Err(e.in_derivative(&label)),
    };
    entries.into_iter().map(derivative).collect()
}

/// The recipe file that [`parse`] reads as these derivatives by the rules of Image API 3.0.
pub(super) fn print(derivatives: &[Derivative]) -> String {
    let entry = |derivative: &Derivative| {
        // Every field is named, so that a new one cannot be forgotten here.
        let Request { region, size, rotation, quality, format } = &derivative.request;
        let options = &derivative.options;
        let EncoderOptions {
            q,
            progressive,
            lossless,
            effort,
            background,
            gray,
            metadata,
            tile,
            subifd,
            compression,
            dpi,
            page,
            icc,
            bits,
        } = options;
        let value = serde_json::json!({
            "region": region.to_string(),
            "size": size.to_string(),
            "rotation": rotation.to_string(),
            "quality": quality.to_string(),
            "format": format.to_string(),
            "q": q,
            "progressive": progressive,
            "lossless": lossless,
            "effort": effort,
            "background": background.map(|it| it.to_string()),
            "gray": gray.map(|it| it.to_string()),
            "metadata": metadata.to_string(),
            "tile": tile,
            "subifd": subifd,
            "compression": compression.map(|it| it.to_string()),
            "dpi": dpi,
            "page": page,
            "icc": icc.to_string(),
            "bits": bits,
        });
        format!("{}:{value}", serde_json::Value::from(derivative.label.as_str()))
    };
    // Written piece by piece: an object in memory would not keep the order.
    format!("{{{}}}", derivatives.iter().map(entry).collect::<Vec<_>>().join(","))
}

/// An object by its labels, as it is written. A map would lose its order and keep only the last of two equal labels.
#[derive(Debug)]
pub struct Entries<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Ordered<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one entry for each label")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Ordered(PhantomData))
    }
}

/// One derivative as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    region: Word,
    #[serde(default)]
    size: Word,
    #[serde(default)]
    rotation: Word,
    #[serde(default)]
    quality: Word,
    #[serde(default)]
    format: Word,
    q: Option<u8>,
    #[serde(default)]
    progressive: bool,
    #[serde(default)]
    lossless: bool,
    effort: Option<u8>,
    #[serde(default)]
    background: Word,
    #[serde(default)]
    gray: Word,
    #[serde(default)]
    metadata: Word,
    tile: Option<u32>,
    #[serde(default)]
    subifd: bool,
    #[serde(default)]
    compression: Word,
    dpi: Option<u16>,
    page: Option<u32>,
    #[serde(default)]
    icc: Word,
    bits: Option<u8>,
}

impl Entry {
    fn read(&self, edition: Edition) -> Result<(Request, EncoderOptions), RecipeError> {
        let size = match self.size.given() {
            Some(text) => Size::parse(text, edition)?,
            None => Size::default(),
        };
        let request = Request {
            region: self.region.parse()?.unwrap_or_default(),
            size,
            rotation: self.rotation.parse()?.unwrap_or_default(),
            quality: self.quality.parse()?.unwrap_or_default(),
            format: self.format.parse()?.unwrap_or_default(),
        };
        let options = EncoderOptions {
            q: self.q,
            progressive: self.progressive,
            lossless: self.lossless,
            effort: self.effort,
            background: self.background.parse()?,
            gray: self.gray.parse()?,
            metadata: self.metadata.parse()?.unwrap_or(Metadata::default_for(request.format)),
            tile: self.tile,
            subifd: self.subifd,
            compression: self.compression.parse()?,
            dpi: self.dpi,
            page: self.page,
            icc: self.icc.parse()?.unwrap_or_default(),
            bits: self.bits,
        };
        Ok((request, options))
    }
}

/// A string; a number (`"rotation": 90`) and `null` are taken too.
#[derive(Default)]
struct Word(String);

impl Word {
    fn given(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|text| !text.is_empty())
    }

    fn parse<T: FromStr<Err = RecipeError>>(&self) -> Result<Option<T>, RecipeError> {
        self.given().map(T::from_str).transpose()
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Word, E> {
                Ok(Word::default())
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}
