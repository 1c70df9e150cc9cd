#!/usr/bin/env python3
"""Makes a pyramid of a 700-megapixel JPEG, which is drawn once by imgmill-samples, and prints what it took. Fails if it
took more memory than it should, or if the pyramid is not one.

    scripts/test-large.py [--imgmill PATH] [--samples PATH] [--peer PYTHON]

With --peer, a Python that has pyvips, libvips makes the same in turn.
"""

import argparse
import json
import os
import shutil
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "bench"))

import measure  # noqa: E402

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SIZE = (30000, 23400)
MOST_MEMORY = 300  # MB
RECIPE = {"page": {"format": "ptif", "compression": "jpeg", "q": 85}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    parser.add_argument("--peer", type=Path)
    options = parser.parse_args()
    work = TARGET / "test-large"
    work.mkdir(parents=True, exist_ok=True)
    source = work / f"wall-{SIZE[0]}x{SIZE[1]}.jpg"
    if not source.exists():
        print(f"drawing {SIZE[0]}×{SIZE[1]} pixels, once")
        unfinished = source.with_suffix(".part")
        sizes = ["--width", str(SIZE[0]), "--height", str(SIZE[1])]
        cost = measure.run([options.samples, "wall", unfinished, *sizes], log=work / "draw.txt")
        print(f"  {cost.wall:.0f} s, {cost.peak:.0f} MB")
        unfinished.rename(source)
    failed = False
    cost, made = ours(options.imgmill, source, work)
    tell("imgmill", cost, made)
    if levels(made) != 7 or cost.peak > MOST_MEMORY:
        print(f"FAILED: {levels(made)} levels where 7 are meant, or more than {MOST_MEMORY} MB")
        failed = True
    if options.peer:
        made = work / "libvips.tif"
        program = ROOT / "bench" / "peers" / "pyramid_libvips.py"
        peer = measure.run([options.peer, program, source, made, "jpeg"], log=work / "libvips.txt")
        tell("libvips", peer, made)
        print(f"  {peer.wall / cost.wall:.2f} times as fast as libvips")
    return 1 if failed else 0


def ours(imgmill, source, work):
    store = work / "store"
    shutil.rmtree(store, ignore_errors=True)
    (work / "recipe.json").write_text(json.dumps(RECIPE))
    (work / "input.csv").write_text(f"url\n{source}\n")
    command = [imgmill, "run", "--input", work / "input.csv", "--output", work / "output.csv", "--discard", "--quiet"]
    command += ["--recipe", work / "recipe.json", "--store", f"file://{store}", "--key", "{stem}.{ext}"]
    command += ["--max-pixels", "1G", "--max-bytes", "1GiB"]
    cost = measure.run(command, log=work / "imgmill.txt")
    return cost, store / f"{source.stem}.tif"


def tell(who, cost, made):
    size = made.stat().st_size
    print(f"{who}: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU, {cost.peak:.0f} MB peak, {size:,} bytes")


def levels(path):
    """Directories in a little-endian TIFF's chain."""
    with open(path, "rb") as file:
        magic, first = struct.unpack("<4sI", file.read(8))
        count, place = 0, first if magic == b"II*\0" else 0
        while place:
            file.seek(place)
            (entries,) = struct.unpack("<H", file.read(2))
            file.seek(place + 2 + 12 * entries)
            (place,) = struct.unpack("<I", file.read(4))
            count += 1
    return count


sys.exit(main())
