//! What is made of a source, and what it is called: the same for all but for the box it has to fit.

use std::sync::Arc;

use imgmill_image::Recipe;
use imgmill_pipeline::naming::{Named, Naming, Placement};
use imgmill_pipeline::objects::Expected;
use imgmill_pipeline::{Error, Instructions, Kind, Stage};

use crate::bucket::keys;
use crate::bucket::record::Record;

/// The largest pyramid, and the largest of a work that is in copyright: width, height.
const BOX: (u32, u32) = (4000, 4000);
const COPYRIGHT_BOX: (u32, u32) = (843, 560);

/// The two recipes.
#[derive(Debug)]
pub struct Recipes {
    full: Arc<Recipe>,
    in_copyright: Arc<Recipe>,
}

impl Recipes {
    /// Tiles of 512 pixels, packed by deflate, at 300 dots an inch: never enlarged, since requests of Image API 3.0
    /// enlarge only with `^`.
    ///
    /// # Errors
    /// Only where this program is broken.
    pub fn new() -> Result<Self, Error> {
        Ok(Recipes { full: recipe(BOX)?, in_copyright: recipe(COPYRIGHT_BOX)? })
    }

    /// What is made for a record; its pyramid takes the place of what was `over` there when the `turn` began.
    pub fn instructions(&self, record: &Record, over: Expected, turn: &str) -> Instructions {
        let recipe = if record.is_in_copyright() { &self.in_copyright } else { &self.full };
        let (source, pyramid) = (record.key.clone(), keys::pyramid(&record.key));
        let name = PyramidName { source, pyramid, over, turn: turn.to_owned() };
        Instructions::new(Arc::clone(recipe), Arc::new(name))
    }
}

fn recipe((width, height): (u32, u32)) -> Result<Arc<Recipe>, Error> {
    let text = format!(
        r#"{{"pyramid": {{"size": "!{width},{height}", "format": "ptif", "tile": 512, "compression": "deflate", "dpi": 300}}}}"#
    );
    let recipe = Recipe::parse_json(&text).map_err(|error| {
        Error::new(Stage::Source, Kind::Internal, "the recipe of pyramids").caused_by(error)
    })?;
    Ok(Arc::new(recipe))
}

/// The name that the pyramid of one source has.
#[derive(Debug)]
struct PyramidName {
    source: String,
    pyramid: String,
    over: Expected,
    turn: String,
}

impl Naming for PyramidName {
    fn key(&self, _: &Named<'_>) -> Result<String, Error> {
        Ok(self.pyramid.clone())
    }

    /// Two sources of one stem want one name: the first has it, the second is told.
    fn placement(&self) -> Placement {
        Placement::Claimed
    }

    /// No two turns are alike: what an earlier one made of the same bytes may have been replaced since.
    fn identity(&self) -> String {
        format!("{}\0{}", self.pyramid, self.turn)
    }

    fn over(&self, _: &str) -> Option<&Expected> {
        Some(&self.over)
    }

    /// The key: a bucket that moves, or is reached by another address, stays the owner of its pyramids.
    fn owner(&self, _: &str) -> String {
        self.source.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str) -> Record {
        serde_json::from_value(serde_json::json!({"key": "a/x.png", "copyrightStatus": status})).unwrap()
    }

    #[test]
    fn rights_decide_the_box() {
        let recipes = Recipes::new().unwrap();
        let request = |status| {
            let made = recipes.instructions(&record(status), Expected::Nothing, "1");
            made.recipe.derivatives()[0].canonical()
        };
        assert_eq!(request("public domain"), "full/!4000,4000/0/default.ptif;tile=512;dpi=300");
        assert_eq!(request("COPYRIGHT"), "full/!843,560/0/default.ptif;tile=512;dpi=300");
    }

    #[test]
    fn a_turn_remembers_nothing_of_others() {
        let recipes = Recipes::new().unwrap();
        let identity = |turn| recipes.instructions(&record(""), Expected::Nothing, turn).identity();
        assert_ne!(identity("1"), identity("2"));
        assert_eq!(identity("1"), identity("1"));
    }
}
