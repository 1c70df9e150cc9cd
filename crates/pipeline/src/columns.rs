//! What a list says of a row beside its URL: columns, which go with the row into the lists and the report that come of
//! it, and, those that are chosen, with its objects.

use std::sync::Arc;

/// The columns of a list, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
    url: usize,
    id: Option<usize>,
    metadata: Vec<usize>,
}

/// Which columns have a meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The URL's column; without a name `url`.
    pub url: Option<String>,
    /// The column that tells rows apart, if there is one.
    pub id: Option<String>,
    /// Columns that are said of the objects, too.
    pub metadata: Vec<String>,
}

impl Meaning {
    /// Whether no column was named.
    pub fn is_default(&self) -> bool {
        *self == Meaning::default()
    }

    /// The URL's column.
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or("url")
    }
}

impl Header {
    /// Columns of these names.
    ///
    /// # Errors
    /// One sentence: a column that is not there, or two of one name.
    pub fn new(names: Vec<String>, meaning: &Meaning) -> Result<Header, String> {
        if let Some(twice) = (1..names.len()).find(|place| names[..*place].contains(&names[*place])) {
            return Err(format!("two columns are named {:?}", brief(&names[twice])));
        }
        let place = |wanted: &str| {
            names.iter().position(|name| name == wanted).ok_or_else(|| {
                let there: Vec<String> = names.iter().take(12).map(|name| brief(name)).collect();
                let more = if names.len() > there.len() { ", …" } else { "" };
                format!("there is no column named {wanted:?}; there are {}{more}", there.join(", "))
            })
        };
        let url = place(meaning.url())?;
        let id = meaning.id.as_deref().map(place).transpose()?;
        let metadata = meaning.metadata.iter().map(|name| place(name)).collect::<Result<_, _>>()?;
        Ok(Header { url, id, metadata, names })
    }

    /// All names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of all but the URL's column, none of them one of `taken`: one that is gets `list_` before it.
    pub fn carried_names(&self, taken: &[&str]) -> Vec<String> {
        let others =
            || self.names.iter().enumerate().filter(|(place, _)| *place != self.url).map(|(_, name)| name);
        let free = |name: &String| {
            let mut free = name.clone();
            while taken.contains(&free.as_str()) || (free != *name && others().any(|other| *other == free)) {
                free.insert_str(0, "list_");
            }
            free
        };
        others().map(free).collect()
    }
}

/// What a list says of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    header: Arc<Header>,
    values: Vec<String>,
}

impl Columns {
    /// One value for each column; what is missing is empty.
    pub fn new(header: Arc<Header>, mut values: Vec<String>) -> Columns {
        values.resize(header.names.len(), String::new());
        let url = header.url;
        let trimmed = values[url].trim();
        if trimmed.len() != values[url].len() {
            values[url] = trimmed.to_owned();
        }
        Columns { header, values }
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.values[self.header.url]
    }

    /// What tells the row from others, where the list has a column for that and something in it.
    pub fn id(&self) -> Option<&str> {
        self.header.id.map(|place| self.values[place].trim()).filter(|id| !id.is_empty())
    }

    /// All values, in the order of the header's names.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// All but the URL, by name.
    pub fn carried(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.header.names.iter().zip(&self.values).enumerate();
        all.filter(|(place, _)| *place != self.header.url)
            .map(|(_, (name, value))| (name.as_str(), value.as_str()))
    }

    /// What is said of the row's objects: name and value as stores take them. Names are of letters in lower case, digits
    /// and hyphens; of values that are not plain ASCII, each word is encoded as in mail (RFC 2047), which is how S3 itself
    /// shows such.
    pub fn metadata(&self) -> impl Iterator<Item = (String, String)> {
        self.header
            .metadata
            .iter()
            .map(|place| (metadata_name(&self.header.names[*place]), metadata_value(&self.values[*place])))
            .filter(|(_, value)| !value.is_empty())
    }
}

fn metadata_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(plain).collect()
}

fn metadata_value(value: &str) -> String {
    let value = value.trim();
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return value.to_owned();
    }
    // A word has 75 characters at the most, its frame included, and no character is divided.
    const MOST: usize = 75 - "=?UTF-8?Q?".len() - "?=".len();
    let mut words = vec![String::new()];
    for c in value.chars() {
        let mut bytes = [0; 4];
        let encoded: String = match c {
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => c.encode_utf8(&mut bytes).bytes().map(|byte| format!("={byte:02X}")).collect(),
        };
        match words.last_mut() {
            Some(word) if word.len() + encoded.len() <= MOST => word.push_str(&encoded),
            _ => words.push(encoded),
        }
    }
    words.iter().map(|word| format!("=?UTF-8?Q?{word}?=")).collect::<Vec<_>>().join(" ")
}

/// The beginning of a text that may be long.
pub(crate) fn brief(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str], meaning: &Meaning) -> Result<Header, String> {
        Header::new(names.iter().map(|name| (*name).to_owned()).collect(), meaning)
    }

    fn meaning(url: &str, id: &str, metadata: &[&str]) -> Meaning {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let metadata = metadata.iter().map(|name| (*name).to_owned()).collect();
        Meaning { url: some(url), id: some(id), metadata }
    }

    #[test]
    fn columns_are_found_by_name() {
        let header =
            header(&["id", "image", "Titel d. Werks"], &meaning("image", "id", &["Titel d. Werks"])).unwrap();
        let row = |values: &[&str]| {
            Columns::new(Arc::new(header.clone()), values.iter().map(|value| (*value).to_owned()).collect())
        };
        let full = row(&[" 7 ", " http://a ", "Café"]);
        assert_eq!((full.url(), full.id()), ("http://a", Some("7")));
        assert_eq!(full.carried().collect::<Vec<_>>(), [("id", " 7 "), ("Titel d. Werks", "Café")]);
        let expected = ("titel-d--werks".to_owned(), "=?UTF-8?Q?Caf=C3=A9?=".to_owned());
        assert_eq!(full.metadata().collect::<Vec<_>>(), [expected]);
        assert_eq!((row(&["", "u"]).id(), row(&["", "u"]).metadata().count()), (None, 0));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let says = |names: &[&str], meaning: &Meaning| header(names, meaning).unwrap_err();
        assert_eq!(says(&["a", "b", "a"], &meaning("b", "", &[])), "two columns are named \"a\"");
        assert_eq!(
            says(&["a", "b"], &Meaning::default()),
            "there is no column named \"url\"; there are a, b"
        );
        assert!(says(&["a", "b"], &meaning("a", "c", &[])).contains("\"c\""));
    }

    #[test]
    fn names_that_are_taken_become_others() {
        let header = header(&["url", "s3url", "list_s3url", "x"], &Meaning::default()).unwrap();
        assert_eq!(header.carried_names(&["url", "s3url"]), ["list_list_s3url", "list_s3url", "x"]);
    }

    proptest::proptest! {
        #[test]
        fn metadata_is_plain(value in ".{0,200}") {
            let encoded = metadata_value(&value);
            proptest::prop_assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            if encoded.starts_with("=?UTF-8") {
                proptest::prop_assert!(encoded.split(' ').all(|word| word.len() <= 75));
            }
        }
    }
}
