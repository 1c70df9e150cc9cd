//! What is done to decoded pixels, one operation a file, in this order:
//!
//! 1. **orient**: regions and sizes are worked out in the upright image ([`plan`](crate::plan)); the pixels themselves
//!    are turned at step 5, when there are fewer of them. The result is the same.
//! 2. **region**: a smart crop finds its place ([`smart_crop`]); cut out, together with the next step, never as a copy of its own unless nothing is resized.
//! 3. **shrink-on-load**: a JPEG is decoded at the smallest DCT scale that leaves every derivative twice its size.
//! 4. **resize** ([`resize`]): Lanczos3 with the support scaled, alpha premultiplied.
//! 5. **rotate** ([`turn`], [`rotate`]): orientation, mirror and quarters exactly; other angles by interpolation.
//! 6. **quality** ([`gray`], [`crisp`]).
//! 7. **flatten** ([`flatten`]): alpha onto the background, where the format has none.
//! 8. **black and white** ([`bitonal`], [`dither`]): last, because half-transparent edges would be grey again once they
//!    are laid on the background.
//!
//! Each is a pure function of pixels.

pub(crate) mod bitonal;
pub(crate) mod crisp;
pub(crate) mod dither;
pub(crate) mod flatten;
pub(crate) mod gray;
pub(crate) mod resize;
pub(crate) mod rotate;
pub(crate) mod smart_crop;
pub(crate) mod turn;
