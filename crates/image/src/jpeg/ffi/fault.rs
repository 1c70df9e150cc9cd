//! libjpeg's errors and warnings as values: which end the work, what they are called here, and how they leave C.

use std::any::Any;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use mozjpeg_sys as sys;

use crate::error::{Error, ErrorKind};
use crate::limits::OnTruncated;

/// More than jpeglib.h's JMSG_LENGTH_MAX, 200.
const MESSAGE_LONGEST: usize = 256;

type FormatMessage = unsafe extern "C-unwind" fn(&mut sys::jpeg_common_struct, *mut u8);

/// What the handlers raise: libjpeg's message number and text.
struct Fault {
    code: c_int,
    text: String,
}

/// An error manager whose handlers raise a [`Fault`] instead of exiting, and print nothing. Whether a file that ends
/// early is a fault is for `on_truncated` to say; where it is none, `num_warnings` counts that it did.
pub(super) fn error_manager(on_truncated: OnTruncated) -> sys::jpeg_error_mgr {
    // SAFETY: all-zero is a valid value of this C struct (its pointers are raw or optional), and `jpeg_std_error`
    // fills in every field it later reads.
    let mut manager = unsafe {
        let mut manager: sys::jpeg_error_mgr = std::mem::zeroed();
        sys::jpeg_std_error(&mut manager);
        manager
    };
    manager.error_exit = Some(error_exit);
    manager.emit_message = Some(match on_truncated {
        OnTruncated::Fail => emit_message,
        OnTruncated::Accept => emit_message_past_the_end,
    });
    manager.output_message = Some(output_message);
    manager
}

/// Runs calls into libjpeg; an error in them comes back as a value.
pub(super) fn guarded<T>(calls: impl FnOnce() -> T) -> Result<T, Error> {
    // The codec that an unwound call leaves half-done is only ever destroyed afterwards, which libjpeg allows.
    catch_unwind(AssertUnwindSafe(calls)).map_err(|payload: Box<dyn Any + Send>| {
        if payload.is::<Late>() {
            return Error::timeout();
        }
        match payload.downcast::<Fault>() {
            Ok(fault) => fault.into_error(),
            Err(unknown) => resume_unwind(unknown),
        }
    })
}

/// What is raised once a deadline has passed.
struct Late;

/// A progress monitor, which libjpeg calls for every few rows of every pass, with its deadline right behind it.
#[repr(C)]
pub(super) struct Clock {
    manager: sys::jpeg_progress_mgr,
    deadline: Instant,
}

impl Clock {
    pub(super) fn new(deadline: Instant) -> Self {
        let manager = sys::jpeg_progress_mgr {
            progress_monitor: Some(look_at_the_clock),
            pass_counter: 0,
            pass_limit: 0,
            completed_passes: 0,
            total_passes: 0,
        };
        Self { manager, deadline }
    }

    /// What a codec object's `progress` is set to. The pointer is to the whole clock, which must outlive the object.
    pub(super) fn pointer(this: *mut Self) -> *mut sys::jpeg_progress_mgr {
        this.cast()
    }
}

unsafe extern "C-unwind" fn look_at_the_clock(cinfo: &mut sys::jpeg_common_struct) {
    // SAFETY: `progress` was made by `Clock::pointer`, so it points to a whole clock (`repr(C)`, the manager first).
    let deadline = unsafe { (*cinfo.progress.cast::<Clock>()).deadline };
    if Instant::now() >= deadline {
        resume_unwind(Box::new(Late));
    }
}

/// Raises an error of libjpeg's numbers, as its own code does.
pub(super) fn raise(cinfo: &mut sys::jpeg_common_struct, code: c_int) -> ! {
    // SAFETY: what calls this was called by libjpeg with a live object, whose `err` is the manager it was created with.
    unsafe { (*cinfo.err).msg_code = code };
    resume_unwind(Box::new(Fault::of(cinfo)))
}

unsafe extern "C-unwind" fn error_exit(cinfo: &mut sys::jpeg_common_struct) {
    resume_unwind(Box::new(Fault::of(cinfo)));
}

/// Called with each warning (level −1) and trace message (0 and up). libjpeg would go on with made-up pixels after a
/// warning; work stops instead where pixels are lost, at once, so that a cut file costs only what is there of it.
unsafe extern "C-unwind" fn emit_message(cinfo: &mut sys::jpeg_common_struct, level: c_int) {
    if level >= 0 {
        return;
    }
    let fault = Fault::of(cinfo);
    let harmless = matches!(
        fault.code,
        sys::JWRN_ADOBE_XFORM
            | sys::JWRN_BOGUS_ICC
            | sys::JWRN_BOGUS_PROGRESSION
            | sys::JWRN_EXTRANEOUS_DATA
            | sys::JWRN_JFIF_MAJOR
            | sys::JWRN_NOT_SEQUENTIAL
            | sys::JWRN_TOO_MUCH_DATA
    );
    if !harmless {
        resume_unwind(Box::new(fault));
    }
}

/// The same, but a file may end: libjpeg then makes up an end of image, and what it says of the data after that is no
/// fault of the file's.
unsafe extern "C-unwind" fn emit_message_past_the_end(cinfo: &mut sys::jpeg_common_struct, level: c_int) {
    if level >= 0 {
        return;
    }
    // SAFETY: libjpeg calls the handlers with a live object whose `err` is the manager it was created with.
    let errors = unsafe { &mut *cinfo.err };
    if errors.msg_code == sys::JWRN_JPEG_EOF {
        errors.num_warnings = 1;
    }
    if errors.num_warnings == 0 {
        // SAFETY: this is called as libjpeg calls it.
        unsafe { emit_message(cinfo, level) };
    }
}

unsafe extern "C-unwind" fn output_message(_: &mut sys::jpeg_common_struct) {}

impl Fault {
    fn of(cinfo: &mut sys::jpeg_common_struct) -> Self {
        // SAFETY: libjpeg calls the handlers with a live object whose `err` is the manager it was created with.
        let (code, format_message) = unsafe { ((*cinfo.err).msg_code, (*cinfo.err).format_message) };
        let mut buffer = [0u8; MESSAGE_LONGEST];
        if let Some(format_message) = format_message {
            // SAFETY: the same C function, with its buffer parameter as jpeglib.h has it: `char *`. The binding makes it
            // a shared reference to 80 bytes, yet up to JMSG_LENGTH_MAX (200) are written there.
            let format_message: FormatMessage = unsafe { std::mem::transmute(format_message) };
            // SAFETY: it writes at most JMSG_LENGTH_MAX bytes, the last of them zero.
            unsafe { format_message(cinfo, buffer.as_mut_ptr()) };
        }
        let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
        Self { code, text: String::from_utf8_lossy(text).into_owned() }
    }

    fn into_error(self) -> Error {
        let text = self.text;
        match self.code {
            sys::JWRN_JPEG_EOF | sys::JERR_INPUT_EOF | sys::JERR_INPUT_EMPTY => {
                Error::truncated("the JPEG ends before its image does")
            }
            sys::JERR_OUT_OF_MEMORY | sys::JERR_NO_BACKING_STORE | sys::JERR_WIDTH_OVERFLOW => Error::new(
                ErrorKind::TooManyPixels,
                format!("the JPEG takes more memory than there is: {text}"),
            ),
            sys::JERR_SOF_UNSUPPORTED
            | sys::JERR_BAD_PRECISION
            | sys::JERR_COMPONENT_COUNT
            | sys::JERR_CCIR601_NOTIMPL
            | sys::JERR_CONVERSION_NOTIMPL
            | sys::JERR_FRACT_SAMPLE_NOTIMPL
            | sys::JERR_NOTIMPL
            | sys::JERR_NOT_COMPILED
            | sys::JERR_ARITH_NOTIMPL => {
                Error::unsupported(format!("this kind of JPEG is not supported: {text}"))
            }
            _ => Error::corrupt(format!("the JPEG is damaged: {text}")),
        }
    }
}
