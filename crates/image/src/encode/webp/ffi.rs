//! The only unsafe code for WebP: libwebp's encoder, pixels in, a file in memory out.
//!
//! The picture borrows nothing: importing copies the pixels into memory of its own, which is freed on drop. libwebp
//! reports errors by return value, never by jumping or unwinding, and the writer below does not panic.
#![allow(unsafe_code)]

use std::ffi::c_int;

use libwebp_sys as sys;

use crate::error::Error;
use crate::pixels::{Channels, Pixels};

/// How pixels are encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// 1 to 100.
    pub quality: u8,
    pub lossless: bool,
    /// 0 (fast) to 6 (small).
    pub method: u8,
}

/// Encodes RGB or RGBA pixels of at most 16383 a side.
pub(super) fn encode(pixels: &Pixels, settings: Settings) -> Result<Vec<u8>, Error> {
    let config = config(settings)?;
    let mut picture = Picture::new()?;
    let mut file: Vec<u8> = Vec::new();
    picture.0.use_argb = settings.lossless.into();
    picture.0.width = side(pixels.width)?;
    picture.0.height = side(pixels.height)?;
    picture.0.writer = Some(append);
    picture.0.custom_ptr = (&raw mut file).cast();
    let stride = c_int::try_from(pixels.stride()).map_err(|_| refused("the row is too long"))?;
    let data = pixels.data.as_ptr();
    // SAFETY: `data` is `height` rows of `stride` bytes, of as many channels as the function imports; the picture is
    // initialised and its dimensions are set.
    let imported = unsafe {
        match pixels.channels {
            Channels::Rgb => sys::WebPPictureImportRGB(&mut picture.0, data, stride),
            Channels::Rgba => sys::WebPPictureImportRGBA(&mut picture.0, data, stride),
            Channels::Gray | Channels::GrayAlpha => 0,
        }
    };
    if imported == 0 {
        return Err(refused("the pixels were not taken"));
    }
    // SAFETY: config and picture are valid, and `custom_ptr` is the vector that `append` expects, alive until the end.
    if unsafe { sys::WebPEncode(&config, &mut picture.0) } == 0 {
        return Err(refused(&format!("{:?}", picture.0.error_code)));
    }
    Ok(file)
}

fn config(settings: Settings) -> Result<sys::WebPConfig, Error> {
    let mut config =
        sys::WebPConfig::new().map_err(|()| refused("libwebp's version is not the one built for"))?;
    config.quality = settings.quality.into();
    config.method = settings.method.into();
    config.lossless = settings.lossless.into();
    // One thread: how many images run at once is decided elsewhere, and bytes must not depend on it.
    config.thread_level = 0;
    // SAFETY: `config` is initialised.
    let valid = unsafe { sys::WebPValidateConfig(&config) };
    if valid == 0 { Err(refused("the settings are out of range")) } else { Ok(config) }
}

fn side(length: u32) -> Result<c_int, Error> {
    c_int::try_from(length).map_err(|_| refused("the image is too large"))
}

fn refused(why: &str) -> Error {
    Error::encode(format!("the WebP could not be written: {why}"))
}

/// An initialised picture, whose own memory is freed with it.
struct Picture(sys::WebPPicture);

impl Picture {
    fn new() -> Result<Self, Error> {
        let picture = sys::WebPPicture::new();
        picture.map(Self).map_err(|()| refused("libwebp's version is not the one built for"))
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: the picture was initialised; freeing one that holds no memory is allowed.
        unsafe { sys::WebPPictureFree(&mut self.0) };
    }
}

extern "C" fn append(data: *const u8, length: usize, picture: *const sys::WebPPicture) -> c_int {
    // SAFETY: libwebp calls this during `WebPEncode` with the picture it was given, whose `custom_ptr` is the vector,
    // and with `length` readable bytes at `data`.
    let (file, data) =
        unsafe { (&mut *(*picture).custom_ptr.cast::<Vec<u8>>(), std::slice::from_raw_parts(data, length)) };
    if file.try_reserve(length).is_err() {
        return 0;
    }
    file.extend_from_slice(data);
    1
}
