//! Where renditions go as they are made.

use crate::recipe::OutputFormat;

/// An encoded derivative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// The label of the derivative that it was made for.
    pub label: String,
    /// What it is encoded as.
    pub format: OutputFormat,
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Takes renditions, in the order of the recipe.
pub trait Sink {
    /// Takes one rendition.
    ///
    /// # Errors
    /// Whatever keeps it from being kept; [`derive`](crate::derive) then stops and answers
    /// [`ErrorKind::Sink`](crate::ErrorKind::Sink) with it as the cause.
    fn put(&mut self, rendition: Rendition) -> std::io::Result<()>;
}

impl Sink for Vec<Rendition> {
    fn put(&mut self, rendition: Rendition) -> std::io::Result<()> {
        self.push(rendition);
        Ok(())
    }
}
