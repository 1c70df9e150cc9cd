//! JSON that people wrote: every value is asked for by name, a wrong one is an error with its path, and a key that
//! nobody asked for is a warning that names it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// An object at a path of a file.
#[derive(Debug)]
pub(super) struct Object<'a> {
    map: Option<&'a Map<String, Value>>,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
    warnings: &'a RefCell<Vec<String>>,
}

impl<'a> Object<'a> {
    /// The file's own object.
    pub(super) fn root(value: &'a Value, warnings: &'a RefCell<Vec<String>>) -> Result<Self, String> {
        Self::of(Some(value), String::new(), warnings)
    }

    fn of(
        value: Option<&'a Value>,
        path: String,
        warnings: &'a RefCell<Vec<String>>,
    ) -> Result<Self, String> {
        let map = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => return Err(wrong(&path, "an object", other)),
        };
        Ok(Object { map, path, asked: RefCell::default(), warnings })
    }

    /// Whether it is there at all.
    pub(super) fn is_there(&self) -> bool {
        self.map.is_some()
    }

    /// Where a key of it is.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Says something of a key that is no error.
    pub(super) fn warn(&self, key: &str, what: &str) {
        self.warnings.borrow_mut().push(format!("{}: {what}", self.path_of(key)));
    }

    /// A key's value, null being none.
    pub(super) fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.map?.get(key).filter(|value| !value.is_null())
    }

    /// Keys that are known, and mean nothing this time.
    pub(super) fn ignore(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// An object in it; one that is missing is empty.
    pub(super) fn object(&self, key: &'static str) -> Result<Object<'a>, String> {
        Self::of(self.value(key), self.path_of(key), self.warnings)
    }

    /// A text, an empty one being none.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<&'a str>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(wrong(&self.path_of(key), "a string", other)),
        }
    }

    /// A whole number of this range.
    pub(super) fn number(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, String> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let (least, most) = (range.start(), range.end());
        let number = value.as_u64().filter(|number| range.contains(number));
        let meant = format!("a whole number from {least} to {most}");
        number.map(Some).ok_or_else(|| wrong(&self.path_of(key), &meant, value))
    }

    /// True or false.
    pub(super) fn boolean(&self, key: &'static str) -> Result<Option<bool>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong(&self.path_of(key), "true or false", other)),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &'static str) -> Result<Vec<&'a str>, String> {
        let items = self.items(key)?;
        let text = |(path, value): (String, &'a Value)| {
            value.as_str().ok_or_else(|| wrong(&path, "a string", value))
        };
        items.into_iter().map(text).collect()
    }

    /// The names in a list of texts or of objects with a `name`.
    pub(super) fn names(&self, key: &'static str) -> Result<Vec<(String, &'a str)>, String> {
        let name = |(path, value): (String, &'a Value)| {
            let name = value.as_str().or_else(|| value.get("name")?.as_str());
            let name = name.ok_or_else(|| wrong(&path, "a string, or an object with a name", value))?;
            Ok((path, name))
        };
        self.items(key)?.into_iter().map(name).collect()
    }

    fn items(&self, key: &'static str) -> Result<Vec<(String, &'a Value)>, String> {
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let path = |at: usize| format!("{}[{at}]", self.path_of(key));
                Ok(items.iter().enumerate().map(|(at, value)| (path(at), value)).collect())
            }
            Some(other) => Err(wrong(&self.path_of(key), "a list", other)),
        }
    }

    /// All entries, whatever they are called.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Object<'a>)>, String> {
        let entry = |(key, value): (&'a String, &'a Value)| {
            Ok((key.as_str(), Self::of(Some(value), self.path_of(key), self.warnings)?))
        };
        self.map.into_iter().flatten().map(entry).collect()
    }

    /// Warns of every key that was not asked for. To be called when all were.
    pub(super) fn close(self) {
        let asked = self.asked.borrow();
        for key in self.map.into_iter().flat_map(Map::keys).filter(|key| !asked.contains(key.as_str())) {
            self.warn(key, "is not known here, and does nothing");
        }
    }
}

/// What is there instead of what is meant.
pub(super) fn wrong(path: &str, meant: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => found.to_string(),
        Value::String(text) if text.len() <= 60 => format!("{text:?}"),
        Value::String(_) => "a long string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
    format!("{path}{meant} is meant, and there is {found}")
}
