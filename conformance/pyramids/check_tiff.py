"""Every kind of pyramid: libtiff finds nothing to complain about, libvips reads each level with its right size, the
first level of a lossless one is the source pixel for pixel, and the others are its box-filtered means, within 1."""

import math
import subprocess
import sys
from pathlib import Path

import numpy
import pyvips

from pyramids import Checks, pyramid

WIDTH, HEIGHT = 1301, 907
PACKINGS = ("deflate", "lzw", "zstd", "none", "jpeg", "webp")
LOSSLESS = ("deflate", "lzw", "zstd", "none")


def main():
    imgmill, _, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    checks = Checks("tiff")
    # Files of one name come and go.
    pyvips.cache_set_max(0)
    for kind, source, pixels in sources(work):
        for packing in PACKINGS:
            for subifd in (False, True):
                for tile in (512, 240):
                    options = {"compression": packing, "subifd": subifd, "tile": tile}
                    if kind.endswith("16"):
                        if packing not in LOSSLESS:
                            continue
                        options["bits"] = 16
                    name = f"{kind} {packing} tile {tile}{' subifd' if subifd else ''}"
                    check(checks, name, pyramid(imgmill, source, work / "tiff", **options), pixels, options)
    checks.end()


def sources(work):
    """Waves, edges and noise, grey or in colour, opaque or not, in 8 bits and 16."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype("float64")
    noise = numpy.random.default_rng(7)
    for kind, samples, most in (("grey", 1, 255), ("rgb", 3, 255), ("rgba", 4, 255), ("grey16", 1, 65535), ("rgb16", 3, 65535)):
        waves = [numpy.sin(x / (9 + 7 * n)) * numpy.cos(y / (31 + n)) for n in range(samples)]
        data = (numpy.stack(waves, axis=2) * 0.4 + 0.5) * most + noise.normal(0, most / 40, (HEIGHT, WIDTH, samples))
        data = numpy.clip(numpy.rint(data), 0, most).astype("uint16" if most > 255 else "uint8")
        data[200:260, :, :] = most
        path = work / f"{kind}.png"
        image = pyvips.Image.new_from_memory(data.tobytes(), WIDTH, HEIGHT, samples, "ushort" if most > 255 else "uchar")
        interpretation = ("grey16" if samples == 1 else "rgb16") if most > 255 else ("b-w" if samples == 1 else "srgb")
        image.copy(interpretation=interpretation).pngsave(str(path))
        yield kind, path, data


def check(checks, name, path, pixels, options):
    told = subprocess.run(["tiffinfo", path], capture_output=True, text=True, check=False)
    complaints = told.stderr.strip()
    # libtiff as Debian builds it may not know the newest packings; that is no complaint about the file.
    unknown = "not configured" in complaints or "Unknown" in complaints
    checks.that(told.returncode == 0 and (not complaints or unknown), f"{name}: tiffinfo is content: {complaints}")
    sizes, size = [(WIDTH, HEIGHT)], (WIDTH, HEIGHT)
    while max(size) > options["tile"]:
        size = tuple(math.ceil(side / 2) for side in size)
        sizes.append(size)
    for level, size in enumerate(sizes):
        try:
            found = read(path, level, options)
        except pyvips.Error as error:
            checks.that(False, f"{name}: libvips reads level {level}: {error}")
            continue
        checks.that((found.width, found.height) == size, f"{name}: level {level} is {size}")
        if options["compression"] not in LOSSLESS:
            continue
        data = found.numpy().reshape(size[1], size[0], -1).astype("int64")
        if level == 0:
            checks.that(numpy.array_equal(data, pixels), f"{name}: level 0 is the source")
        elif pixels.shape[2] != 4:
            apart = numpy.abs(data - numpy.rint(means(pixels, level))).max()
            checks.that(apart <= 1, f"{name}: level {level} is the mean, within 1 (it is {apart} off)")
    more = {"subifd": len(sizes) - 1} if options["subifd"] else {"page": len(sizes)}
    try:
        pyvips.Image.tiffload(str(path), **more)
        checks.that(False, f"{name}: has {len(sizes)} levels and no more")
    except pyvips.Error:
        checks.that(True, "")


def read(path, level, options):
    place = {"subifd": level - 1} if options["subifd"] and level else {"page": 0 if options["subifd"] else level}
    if options["compression"] == "zstd":
        # The libtiff inside pyvips-binary knows no zstd, Debian's does.
        (name, number), = place.items()
        read = path.with_suffix(".v")
        command = ["vips", "tiffload", path, read, f"--{name}", str(number)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise pyvips.Error("vips tiffload failed")
        image = pyvips.Image.new_from_file(str(read))
    else:
        image = pyvips.Image.tiffload(str(path), **place)
    image.avg()  # all of it
    return image


def means(pixels, level):
    """What each pixel of a level covers, on average; an edge that is not whole goes on as its last row and column do."""
    data = pixels.astype("float64")
    for _ in range(level):
        data = numpy.pad(data, ((0, data.shape[0] % 2), (0, data.shape[1] % 2), (0, 0)), mode="edge")
        data = (data[0::2, 0::2] + data[1::2, 0::2] + data[0::2, 1::2] + data[1::2, 1::2]) / 4
    return data


main()
