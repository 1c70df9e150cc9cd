"""The two that imgmill is compared with. Each image is decoded once by each; what needs no decoder of its own
(cutting, turning, grey) is done to that. Every call is a process of its own, with limits."""

import base64
from dataclasses import dataclass
from pathlib import Path

import limited
import pixels
from recipes import SIDE

LUMA = ("0.299", "0.587", "0.114")  # Rec. 601, as imgmill weighs unless told otherwise
HUGE = "10000000"  # pixels: libvips' own limit, so that nothing is made smaller
QUALITY = "85"


@dataclass(frozen=True)
class Nature:
    """What an image's header says, according to an oracle."""

    width: int
    height: int
    model: str
    profile: bytes | None

    @property
    def is_printed_or_lab(self):
        return self.model.lower() in ("cmyk", "lab", "labs", "labq", "cielab")


class Refused(Exception):
    """An oracle did not make what it was asked for."""


class Vips:
    """libvips, by its command line."""

    name = "libvips"

    def __init__(self, vips, vipsheader, seconds, folder):
        self.vips, self.header, self.seconds, self.folder = vips, vipsheader, seconds, folder

    def nature(self, image):
        fields = [self._field(image, name) for name in ("width", "height", "interpretation")]
        if None in fields:
            return None
        profile = self._field(image, "icc-profile-data")
        # Printed as ((VipsInterpretation) VIPS_INTERPRETATION_CMYK).
        model = fields[2].rsplit("INTERPRETATION_", 1)[-1].strip("()")
        return Nature(int(fields[0]), int(fields[1]), model, profile and base64.b64decode(profile))

    def _field(self, image, name):
        ended = limited.run([self.header, "-f", name, image], self.seconds)
        return ended.stdout.decode(errors="replace").strip() if ended.ok else None

    def decode(self, image):
        return self._thumbnail(image, "decoded.png", HUGE)

    def is_whole(self, image):
        """Whether it reads the image without a complaint."""
        try:
            self._vips("copy", f"{image}[fail-on=warning]", self.folder / "whole.v")
        except Refused:
            return False
        finally:
            (self.folder / "whole.v").unlink(missing_ok=True)
        return True

    def resize(self, image, decoded):
        return self._thumbnail(image, "resize.png", str(SIDE))

    def square(self, image, decoded):
        side = str(min(self.size(decoded)))
        return self._vips_out("square.png", "smartcrop", decoded, None, side, side, "--interesting", "centre")

    def turn(self, image, decoded):
        return self._vips_out("turn.png", "rot", decoded, None, "d90")

    def gray(self, image, decoded):
        bands = int(self._field(decoded, "bands") or 0)
        if bands < 3:
            return decoded
        matrix = self.folder / "luma.mat"
        # A row an output band: grey, and alpha as it is.
        rows = [" ".join((*LUMA, *["0"] * (bands - 3)))] + ["0 0 0 1"] * (bands - 3)
        matrix.write_text(f"{bands} {len(rows)}\n" + "\n".join(rows) + "\n")
        mixed = self._vips_out("mixed.v", "recomb", decoded, None, matrix)
        rounded = self._vips_out("rounded.v", "round", mixed, None, "rint")
        cast = self._vips_out("cast.v", "cast", rounded, None, "uchar")
        return self._vips_out("gray.png", "copy", cast, None, "--interpretation", "b-w")

    def jpeg(self, image, decoded):
        return self._vips_out("jpeg.jpg", "jpegsave", decoded, None, "--Q", QUALITY, "--background", "255")

    def size(self, image):
        """Width and height."""
        return [int(self._field(image, name) or 0) for name in ("width", "height")]

    def _thumbnail(self, image, name, side):
        options = [side, "--height", side, "--size", "down"]
        # Asked for without need, libvips takes 16-bit samples for those of a wider space.
        if self._field(image, "icc-profile-data") or "CMYK" in (self._field(image, "interpretation") or ""):
            options += ["--export-profile", "srgb"]
        return self._vips_out(name, "thumbnail", image, None, *options)

    def _vips_out(self, name, operation, *arguments):
        out = self.folder / f"vips-{name}"
        out.unlink(missing_ok=True)
        self._vips(operation, *(out if argument is None else argument for argument in arguments))
        return out

    def _vips(self, *arguments):
        ended = limited.run([self.vips, *arguments], self.seconds)
        if not ended.ok:
            raise Refused(ended.sentence())


class Magick:
    """ImageMagick, by its `convert`."""

    name = "ImageMagick"

    def __init__(self, convert, seconds, folder, srgb):
        self.convert, self.seconds, self.folder, self.srgb = convert, seconds, folder, srgb

    def nature(self, image):
        report = ["-ping", "-format", "%w|%h|%[colorspace]\n", "info:"]
        ended = limited.run([self.convert, f"{image}[0]", *report], self.seconds)
        fields = ended.stdout.decode(errors="replace").strip().split("\n")[0].split("|")
        if not ended.ok or len(fields) != 3:
            return None
        profile = limited.run([self.convert, f"{image}[0]", "icc:-"], self.seconds)
        return Nature(int(fields[0]), int(fields[1]), fields[2], profile.stdout if profile.ok else None)

    def decode(self, image):
        return self._make("decoded.png", self._upright(image))

    def is_whole(self, image):
        ended = limited.run([self.convert, "-regard-warnings", f"{image}[0]", "null:"], self.seconds)
        return ended.ok

    def resize(self, image, decoded):
        # From its own pixels in sRGB, where imgmill and libvips resize too.
        return self._make("resize.png", [decoded, "-filter", "Lanczos", "-resize", f"{SIDE}x{SIDE}>"])

    def square(self, image, decoded):
        size = limited.run([self.convert, decoded, "-format", "%w %h", "info:"], self.seconds)
        width, height = map(int, size.stdout.split())
        side = min(width, height)
        # Half a pixel rounds down, as with libvips; `-gravity center` would round it up.
        cut = ["-crop", f"{side}x{side}+{(width - side) // 2}+{(height - side) // 2}", "+repage"]
        return self._make("square.png", [decoded, *cut])

    def turn(self, image, decoded):
        return self._make("turn.png", [decoded, "-rotate", "90"])

    def gray(self, image, decoded):
        return self._make("gray.png", [decoded, "-grayscale", "Rec601Luma"])

    def jpeg(self, image, decoded):
        flat = ["-background", "white", "-alpha", "remove", "-quality", QUALITY, "-sampling-factor", "4:2:0"]
        return self._make("jpeg.jpg", [decoded, *flat])

    def pixels(self, file):
        """The raw pixels of a file that imgmill or an oracle wrote, laid on white; where it has alpha, laid on black
        as well: the two say all that colour and alpha do."""
        read = [self._ppm(file, "white")]
        opaque = limited.run([self.convert, file, "-format", "%[opaque]", "info:"], self.seconds)
        if opaque.stdout.strip().lower() != b"true":
            read.append(self._ppm(file, "black"))
        return read

    def _ppm(self, file, background):
        flat = ["-background", background, "-alpha", "remove", "-alpha", "off", "-colorspace", "sRGB"]
        command = [self.convert, file, *flat, "-type", "TrueColor", "-depth", "8", "ppm:-"]
        ended = limited.run(command, self.seconds)
        if not ended.ok:
            raise Refused(ended.sentence())
        return pixels.read_ppm(ended.stdout)

    def _upright(self, image):
        # Only a GIF's frame may be smaller than its picture; a page offset elsewhere is no part of the image.
        page = ["-coalesce"] if image.suffix.lower() == ".gif" else ["+repage"]
        nature = self.nature(image)
        # Without a profile of its own there is nothing to convert from, and the profile would only be attached.
        profile = ["-profile", self.srgb] if self.srgb and nature and nature.profile else []
        return [f"{image}[0]", *page, "-auto-orient", *profile, "-colorspace", "sRGB", "-strip"]

    def _make(self, name, arguments):
        out = self.folder / f"magick-{name}"
        out.unlink(missing_ok=True)
        ended = limited.run([self.convert, *arguments, "-depth", "8", out], self.seconds)
        if not out.exists() or out.stat().st_size == 0:
            raise Refused(ended.sentence())
        if ended.crashed or ended.code is None:
            raise Refused(ended.sentence())
        # A warning about a tag makes it end with 1, with the image whole; an image that is not has not passed.
        if not ended.ok and "corrupt" in ended.stderr.lower():
            raise Refused(ended.sentence())
        return out


def srgb_profile(vips, convert, folder):
    """A file with libvips' own sRGB profile, for ImageMagick, which has none; None where that fails."""
    plain, image, profile = folder / "srgb.v", folder / "srgb.png", folder / "srgb.icc"
    for command in (
        [vips, "black", plain, "8", "8", "--bands", "3"],
        [vips, "thumbnail", plain, image, "8", "--export-profile", "srgb"],
        [convert, image, profile],
    ):
        limited.run(command, 60)
    return Path(profile) if profile.exists() else None
