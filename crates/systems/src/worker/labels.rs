//! What the labels of a store's images mean: noted in the store itself, so that another recipe under the same labels is
//! noticed.
//!
//! An image's name has its label and not its recipe, and an image that is there is not made again. So whoever changes a size
//! and keeps its label would go on being told of images of the old size.

use std::collections::BTreeMap;

use imgmill_image::Recipe;
use imgmill_pipeline::identity::RESERVED;
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{Error, Kind, Stage};

/// Labels and the requests behind them.
type Labels = BTreeMap<String, String>;

/// Notes the recipe's labels where they are new, or where their images are made anew (`refresh`); answers those that stand
/// for something else: the label, what it was, what it is.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) async fn note(
    store: &Store,
    recipe: &Recipe,
    refresh: bool,
) -> Result<Vec<(String, String, String)>, Error> {
    let key = format!("{RESERVED}/labels.json");
    let known = match store.find(&key).await? {
        // A note that cannot be read is as good as none.
        Some(_) => serde_json::from_slice(&store.read(&key).await?).unwrap_or_default(),
        None => Labels::new(),
    };
    let (noted, others) = compare(&known, recipe, refresh);
    if noted != known {
        let text = serde_json::to_vec(&noted).map_err(|error| {
            Error::new(Stage::Store, Kind::Internal, "the labels could not be written").caused_by(error)
        })?;
        store.replace(&key, text.into(), &"application/json".into(), None).await?;
    }
    Ok(others)
}

fn compare(known: &Labels, recipe: &Recipe, refresh: bool) -> (Labels, Vec<(String, String, String)>) {
    let (mut noted, mut others) = (known.clone(), Vec::new());
    for derivative in recipe.derivatives() {
        let (label, now) = (derivative.label.clone(), derivative.canonical());
        match known.get(&label) {
            Some(before) if *before != now && !refresh => others.push((label, before.clone(), now)),
            _ => drop(noted.insert(label, now)),
        }
    }
    (noted, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(text: &str) -> Recipe {
        Recipe::new(vec![text.parse().unwrap()]).unwrap()
    }

    #[test]
    fn a_label_means_what_it_meant_first() {
        let (small, large) = (recipe("s=square/50,/0/default.jpg"), recipe("s=square/60,/0/default.jpg"));
        let (known, others) = compare(&Labels::new(), &small, false);
        assert!(others.is_empty() && known["s"].starts_with("square/50,"));
        assert_eq!(compare(&known, &small, false), (known.clone(), vec![]));
        let (noted, others) = compare(&known, &large, false);
        assert_eq!((&noted, others.len(), others[0].0.as_str()), (&known, 1, "s"));
        let (noted, others) = compare(&known, &large, true);
        assert!(others.is_empty() && noted["s"].starts_with("square/60,"), "made anew, it means that");
        let (noted, _) = compare(&known, &recipe("t=full/max/0/gray.jpg"), false);
        assert_eq!(noted.len(), 2, "other recipes' labels stay known");
    }
}
