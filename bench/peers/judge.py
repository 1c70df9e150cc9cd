"""Prepares the sources of the engine table and judges what was made of them, with Pillow and numpy; answers one
JSON request a line, as the peers do.

- `{"describe": FILE}`: width, height, and the quality that a JPEG's tables come nearest to.
- `{"prepare": FILE, "png": FILE, "jpeg": FILE}`: from one photograph, a 2048×1536 RGBA PNG and a JPEG whose long
  side is 1000 px.
- `{"judge": FILE, "source": FILE, "gray": null, "program": FILE}`: the SSIMULACRA2 score of an image against its
  reference, by the program in native/score, or null for one too small to have a score; with `"lossless": true` also whether it holds the JPEG's own luma.

The reference is the source decoded whole (libjpeg's accurate IDCT and smooth upsampling), resized to the judged
image's size with Lanczos3 in 32-bit floats on the values as they are stored, and never rounded. Alpha is
premultiplied before; an image with alpha is judged on white and on black, and the lower score counts. `gray` names
the arithmetic of a gray reference: `luma` (the JPEG's own, which is Rec. 601's), `average`, or `linear` (Rec. 709 in
linear light).
"""

import json
import subprocess
import sys

import numpy
from PIL import Image

# The luminance table of ITU-T T.81's annex K, which libjpeg scales by quality; in the order of a file.
LUMINANCE = """16 11 12 14 12 10 16 14 13 14 18 17 16 19 24 40 26 24 22 22 24 49 35 37 29 40 58 51 61 60 57 51
56 55 64 72 92 78 64 68 87 69 55 56 80 109 81 87 95 98 103 104 103 62 77 113 121 112 100 120 92 101 103 99"""

# Pixels: SSIMULACRA2 looks at six scales, each half the one before, and a smaller image has less than four of them.
TOO_SMALL = 64


def describe(path):
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
        quality = nearest_quality(tables[0]) if tables else None
        return {"width": image.width, "height": image.height, "quality": quality}


def nearest_quality(table):
    # Pillow gives the table row by row and annex K's is compared by its sum, so the order does not matter.
    standard = [int(value) for value in LUMINANCE.split()]

    def total(quality):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        return sum(min(max((value * scale + 50) // 100, 1), 255) for value in standard)

    return min(range(1, 101), key=lambda quality: abs(total(quality) - sum(table)))


def prepare(source, png, jpeg):
    with Image.open(source) as opened:
        photograph = opened.convert("RGB")
    long_side = photograph.copy()
    long_side.thumbnail((1000, 1000), Image.Resampling.LANCZOS)
    long_side.save(jpeg, quality=90)
    cut_out = photograph.resize((2048, 1536), Image.Resampling.LANCZOS)
    # Opaque in the middle, clear in the corners, a soft edge between.
    y, x = numpy.mgrid[-1:1:1536j, -1:1:2048j]
    alpha = numpy.clip((1.25 - numpy.hypot(x, y)) * 4, 0, 1) * 255
    cut_out.putalpha(Image.fromarray(alpha.round().astype(numpy.uint8)))
    cut_out.save(png)
    return {}


def judge(path, source, gray, program):
    picture = values(path)
    height, width = picture.shape[:2]
    if min(height, width) < TOO_SMALL:
        return {"score": None}
    reference = luma(source) if gray == "luma" else as_gray(values(source), gray)
    reference = resized(reference, width, height)
    if reference.shape[2] == 3:
        return {"score": score(reference, picture, program)}
    grounds = (0.0, 1.0)
    return {"score": min(score(on(reference, g), on(picture, g), program) for g in grounds)}


def values(path):
    """Red, green and blue from 0 to 1, premultiplied by alpha where there is one."""
    with Image.open(path) as image:
        has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        pixels = numpy.asarray(image.convert("RGBA" if has_alpha else "RGB"), numpy.float32) / 255
    if has_alpha:
        pixels[..., :3] *= pixels[..., 3:]
    return pixels


def as_gray(pixels, arithmetic):
    match arithmetic:
        case None:
            return pixels
        case "average":
            gray = pixels.mean(axis=2)
        case "linear":
            linear = numpy.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
            gray = linear @ numpy.array([0.2126, 0.7152, 0.0722], numpy.float32)
            gray = numpy.where(gray <= 0.0031308, gray * 12.92, 1.055 * gray ** (1 / 2.4) - 0.055)
    return numpy.repeat(gray[..., None], 3, axis=2).astype(numpy.float32)


def resized(pixels, width, height):
    if pixels.shape[:2] == (height, width):
        return pixels
    channels = [Image.fromarray(pixels[..., c].copy()) for c in range(pixels.shape[2])]
    return numpy.dstack([channel.resize((width, height), Image.Resampling.LANCZOS) for channel in channels])


def on(pixels, ground):
    if pixels.shape[2] == 3:
        return pixels
    return pixels[..., :3] + (1 - pixels[..., 3:]) * ground


def score(reference, picture, program):
    height, width = picture.shape[:2]
    sent = numpy.array([width, height], "<u4").tobytes()
    sent += b"".join(numpy.clip(image, 0, 1).astype("<f4").tobytes() for image in (reference, picture))
    done = subprocess.run([program], input=sent, capture_output=True, check=True)
    return float(done.stdout)


def luma(path):
    """A JPEG's luma, which neither upsampling nor colour conversion has touched, three times."""
    with Image.open(path) as image:
        image.draft("L", image.size)
        plane = numpy.asarray(image.convert("L"), numpy.float32) / 255
    return numpy.repeat(plane[..., None], 3, axis=2)


def answer(request):
    if "describe" in request:
        return describe(request["describe"])
    if "prepare" in request:
        return prepare(request["prepare"], request["png"], request["jpeg"])
    said = judge(request["judge"], request["source"], request["gray"], request["program"])
    if request.get("lossless"):
        said["lossless"] = bool((luma(request["judge"]) == luma(request["source"])).all())
    return said


for line in sys.stdin:
    try:
        said = answer(json.loads(line))
    except Exception as error:  # whatever it is, the next request may fare better
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
