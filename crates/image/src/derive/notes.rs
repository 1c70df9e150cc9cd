//! What is said of renditions beside errors.

use super::Work;
use crate::header::Header;
use crate::recipe::{Derivative, Icc};

impl Work<'_> {
    /// What a pyramid does not keep of its source, although it could seem so.
    pub(super) fn notes(
        &self,
        had_alpha: bool,
        own_colours: bool,
        is_deep: bool,
        header: &Header,
    ) -> impl Iterator<Item = String> + use<> {
        let Derivative { label, options, .. } = self.derivative;
        let background = options.background.unwrap_or_default();
        let said = [
            (
                had_alpha && !self.derivative.keeps_alpha(),
                format!("tiles of JPEG hold no transparency: it was laid on {background}"),
            ),
            (
                options.icc == Icc::Keep && !own_colours,
                "the source's own colours cannot be kept, only those of grey and RGB in JPEG, PNG and TIFF: they \
                 were converted to sRGB"
                    .to_owned(),
            ),
            (
                options.bits == Some(16) && header.bits > 8 && !is_deep,
                "16 bits are kept of grey and RGB in PNG and TIFF: here they became 8".to_owned(),
            ),
        ];
        let label = label.clone();
        said.into_iter()
            .filter(|(is_so, _)| *is_so)
            .map(move |(_, what)| format!("derivative “{label}”: {what}"))
    }
}
