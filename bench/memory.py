#!/usr/bin/env python3
"""Runs imgmill over many images of 100 megapixels with a memory budget, watches the run and all its processes from
outside, and ends with 1 if they ever held more than the budget together or a row failed.

    bench/memory.py [--imgmill PATH] [--samples PATH] [--memory SIZE] [--images N] [--side PIXELS]
                    [--threads N] [--only NAME]
"""

import argparse
import json
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import compare
import measure
import watch

# What is made of what, with which options, and how many times the budget it gets: a PNG has no smaller scale to be
# decoded at, so that one of 100 megapixels takes more than a gigabyte by itself.
WORKS = {
    "JPEG → gray": (("jpg",), [], 1),
    "JPEG → 250 px": (("jpg",), ["--derive", "t=full/!250,250/0/default.jpg"], 1),
    "progressive JPEG → gray": (("progressive.jpg",), [], 1),
    "JPEG and PNG → 2000 px, PNGs refused": (("jpg", "png"), ["--derive", "t=full/2000,/0/default.png"], 1),
    "PNG → 250 px": (("png",), ["--derive", "t=full/!250,250/0/default.jpg"], 3),
}


def main():
    options = arguments()
    home = compare.WORK / "memory"
    sources = draw(options, home)
    exceeded = False
    print(compare.machine())
    print(
        f"\n{options.images} images of {options.side}×{options.side}, "
        f"{options.threads or 'as many threads as cores'}.\n"
    )
    print("| Work | `--memory` | `--isolate` | Made | Refused for their need | Failed | Most held | of the budget | Wall |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for name, (kinds, recipe, times) in WORKS.items():
        if not name.startswith(options.only):
            continue
        memory = options.memory * times
        budget = memory * watch.MIB
        for isolate in ("none", "process"):
            files = [sources[kind] for kind in kinds]
            code, seconds, most, rows = run(options, home, files, recipe, isolate, memory)
            refused = [row for row in rows if row["status"] == "failed" and "give --memory more" in row["message"]]
            failed = [row for row in rows if row["status"] == "failed" and row not in refused]
            made = len(rows) - len(refused) - len(failed)
            bad = most > budget or failed or code not in (0, 3) or len(rows) != options.images
            exceeded |= bool(bad)
            print(
                f"| {name} | {memory} MiB | {isolate} | {made} | {len(refused)} | {len(failed)} "
                f"| {most / watch.MIB:.0f} MiB | {most / budget:.0%}{' **no**' if bad else ''} | {seconds:.1f} s |",
                flush=True,
            )
    return 1 if exceeded else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgmill", type=Path, default=compare.TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=compare.TARGET / "release" / "imgmill-samples")
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--only", default="", help="works whose names begin so")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--threads", type=int, help="default: the number of cores")
    return parser.parse_args()


def draw(options, home):
    """One file of each kind, drawn once."""
    home.mkdir(parents=True, exist_ok=True)
    side = options.side
    plain = compare.photographs(options.samples, "large-page", 1, side, side)[0]
    progressive = home / f"{side}.progressive.jpg"
    if not progressive.exists():
        with open(progressive, "wb") as output:
            subprocess.run(["jpegtran", "-progressive", plain], stdout=output, check=True)
    png = home / f"{side}.png"
    if not png.exists():
        png.write_bytes(striped(side))
    return {"jpg": plain, "progressive.jpg": progressive, "png": png}


def striped(side):
    """An RGB PNG of stripes: its size is what counts, and that it is drawn quickly."""
    def chunk(name, content):
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    packer = zlib.compressobj(1)
    stripes = bytes(range(256)) * (side * 3 // 256 + 2)
    rows = [packer.compress(b"\0" + stripes[row % 256 :][: side * 3]) for row in range(side)]
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = b"".join(rows) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def run(options, home, sources, recipe, isolate, memory):
    """One run over as many files as asked for, each different from all others by what is behind its end."""
    place = home / "run"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    files = []
    for number in range(options.images):
        source = sources[number % len(sources)]
        file = place / f"{number}{source.suffix}"
        file.write_bytes(source.read_bytes() + f" {number}".encode())
        files.append(file)
    listed = place / "input.csv"
    listed.write_text("url\n" + "".join(f"{file}\n" for file in files))
    command = [options.imgmill, "run", "--input", listed, "--output", place / "output.csv", "--quiet"]
    command += ["--report", place / "report.jsonl", "--store", f"file://{place}/store", "--work-dir", place / "work"]
    command += ["--memory", f"{memory}MiB", "--isolate", isolate, "--max-bytes", "1GiB", "--discard"]
    command += ["--threads", str(options.threads)] if options.threads else []
    code, seconds, most = watch.run([*command, *recipe], place / "log.txt", measure.ENVIRONMENT)
    report = place / "report.jsonl"
    rows = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    shutil.rmtree(place)
    return code, seconds, most, rows


if __name__ == "__main__":
    sys.exit(main())
