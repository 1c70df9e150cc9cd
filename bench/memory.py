#!/usr/bin/env python3
"""Runs imgmill over many images of 100 megapixels with a memory budget, watches the run and all its processes from
outside, and ends with 1 if they ever held more than the budget together or a row failed.

    bench/memory.py [--imgmill PATH] [--samples PATH] [--memory SIZE] [--images N] [--side PIXELS] [--threads N]
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

WORKS = {
    "JPEG → gray": (("jpg",), []),
    "JPEG → 250 px": (("jpg",), ["--derive", "t=full/!250,250/0/default.jpg"]),
    "progressive JPEG → gray": (("progressive.jpg",), []),
    "PNG → 250 px": (("png",), ["--derive", "t=full/!250,250/0/default.jpg"]),
    "JPEG and PNG → 2000 px": (("jpg", "png"), ["--derive", "t=full/2000,/0/default.png"]),
}


def main():
    options = arguments()
    home = compare.WORK / "memory"
    sources = draw(options, home)
    budget = options.memory * watch.MIB
    exceeded = False
    print(compare.machine())
    print(f"\n{options.images} images of {options.side}×{options.side}, `--memory {options.memory}MiB`, "
          f"{options.threads or 'as many threads as cores'}.\n")
    print("| Work | `--isolate` | Rows made | Refused for their need | Failed | Most held | of the budget | Wall |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name, (kinds, recipe) in WORKS.items():
        for isolate in ("none", "process"):
            code, seconds, most, rows = run(options, home, [sources[kind] for kind in kinds], recipe, isolate)
            refused = [row for row in rows if row["status"] == "failed" and "give --memory more" in row["message"]]
            failed = [row for row in rows if row["status"] == "failed" and row not in refused]
            made = len(rows) - len(refused) - len(failed)
            bad = most > budget or failed or code not in (0, 3) or len(rows) != options.images
            exceeded |= bool(bad)
            print(f"| {name} | {isolate} | {made} | {len(refused)} | {len(failed)} | {most / watch.MIB:.0f} MiB "
                  f"| {most / budget:.0%}{' **no**' if bad else ''} | {seconds:.1f} s |", flush=True)
    return 1 if exceeded else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgmill", type=Path, default=compare.TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=compare.TARGET / "release" / "imgmill-samples")
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
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


def run(options, home, sources, recipe, isolate):
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
    command += ["--memory", f"{options.memory}MiB", "--isolate", isolate, "--max-bytes", "1GiB", "--discard"]
    command += ["--threads", str(options.threads)] if options.threads else []
    code, seconds, most = watch.run([*command, *recipe], place / "log.txt", measure.ENVIRONMENT)
    report = place / "report.jsonl"
    rows = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    shutil.rmtree(place)
    return code, seconds, most, rows


if __name__ == "__main__":
    sys.exit(main())
