"""The default folder: one picture in every way that the encoders of crates/testing, which share no code with the
engine, and ImageMagick can write it; some of the files cut short."""

import shutil
import sys

import limited

# Name to what ImageMagick does to the picture on its way into the file.
WRITTEN = {
    "palette.png": ["-colors", "60", "-define", "png:format=png8"],
    "bits-1.png": ["-colorspace", "Gray", "-ordered-dither", "o4x4", "-define", "png:bit-depth=1"],
    "bits-4.png": ["-colorspace", "Gray", "-define", "png:bit-depth=4"],
    "interlaced.png": ["-interlace", "PNG"],
    "interlaced-16.png": ["-interlace", "PNG", "-depth", "16"],
    "strips-lzw.tif": ["-compress", "LZW"],
    "strips-deflate.tif": ["-compress", "Zip"],
    "strips-packbits.tif": ["-compress", "RLE"],
    "strips-jpeg.tif": ["-compress", "JPEG"],
    "strips-fax4.tif": ["-monochrome", "-compress", "Group4"],
    "strips-fax3.tif": ["-monochrome", "-compress", "Fax"],
    "bits-1.tif": ["-monochrome", "-compress", "None"],
    "bits-16.tif": ["-depth", "16", "-compress", "LZW"],
    "tiles.tif": ["-define", "tiff:tile-geometry=64x64", "-compress", "Zip"],
    "planar.tif": ["-interlace", "Plane", "-compress", "None"],
    "big-endian.tif": ["-define", "tiff:endian=msb", "-compress", "None"],
    "palette.tif": ["-colors", "60", "-type", "Palette", "-compress", "None"],
    "cmyk.tif": ["-colorspace", "CMYK", "-compress", "LZW"],
    "lab.tif": ["-colorspace", "Lab", "-compress", "None"],
    "orientation-6.tif": ["-orient", "RightTop", "-compress", "None"],
    "palette.bmp": ["-colors", "60", "-type", "Palette"],
    "old-header.bmp": ["-define", "bmp:format=bmp3"],
    "transparent.gif": ["-fuzz", "20%", "-transparent", "white"],
    "interlaced.gif": ["-interlace", "GIF"],
    "lossy.webp": ["-quality", "80"],
    "restart-markers.jpg": ["-define", "jpeg:restart-interval=4"],
    "sampled-411.jpg": ["-sampling-factor", "4x1,1x1,1x1"],
    "sampled-440.jpg": ["-sampling-factor", "1x2,1x1,1x1"],
    "lossy.jp2": [],
    "lossless.jp2": ["-define", "jp2:rate=1"],
    "gray-16.jp2": ["-colorspace", "Gray", "-depth", "16"],
    "photo.avif": [],
    "gray.avif": ["-colorspace", "Gray"],
    "alpha.avif": ["-alpha", "set", "-channel", "A", "-evaluate", "set", "60%", "+channel"],
    "one-pixel.png": ["-resize", "1x1!"],
    "one-row.png": ["-crop", "x1+0+50", "+repage"],
    "frames.gif": ["(", "-clone", "0", "-rotate", "180", ")"],
    "frames.tif": ["(", "-clone", "0", "-rotate", "180", ")", "-compress", "LZW"],
}
CUT = ("jpeg-plain.jpg", "png-rgb.png", "gif.gif", "tif-rgb.tif", "bmp-rgb.bmp", "webp-rgb.webp", "lossy.webp", "lossy.jp2", "photo.avif")


def draw(samples, convert, folder):
    """Draws all fixtures anew; answers with the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ended = limited.run([samples, "kinds", folder, "--width", "331", "--height", "217"], 60)
    if not ended.ok:
        sys.exit(f"conformance: {samples} failed: {ended.sentence()}")
    for name, options in WRITTEN.items():
        limited.run([convert, folder / "png-rgb.png", *options, folder / name], 60)
        if not (folder / name).exists():
            print(f"not drawn, this ImageMagick cannot: {name}", file=sys.stderr)
    for name in CUT:
        file = (folder / name).read_bytes()
        (folder / f"cut-{name}").write_bytes(file[: len(file) * 2 // 3])
    # Headers that promise more pixels than anyone has memory for, and a file that is no image.
    whole = (folder / "bmp-rgb.bmp").read_bytes()
    (folder / "over-limit.bmp").write_bytes(whole[:18] + (60_000).to_bytes(4, "little") * 2 + whole[26:])
    (folder / "page.jpg").write_bytes(b"<!doctype html><title>Sign in</title>")
    return folder
