#!/usr/bin/env python3
"""Measures `iiif-process` on go-iiif's example config and instructions: one photograph of 6 megapixels, and many small ones.

    bench/iiif_process.py [--imgmill PATH] [--source photo.jpg] [--rounds 7] [--images 500]

The peer is libvips' command line, three commands for the three derivatives, which do less: they neither dither nor look
for colours and hashes. go-iiif's tool itself wants Go; what it took on a photograph of this size is given with
--go-iiif-wall SECONDS.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import measure

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "crates" / "systems" / "tests" / "go-iiif"
# go-iiif's native tool on a JPEG of 6 megapixels, measured once on another day, on a machine of the same kind.
GO_IIIF_WALL = 5.5
# Of what imgmill writes by default.
QUALITY = 85


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    arguments.add_argument("--imgmill", type=pathlib.Path, default=target / "release" / "imgmill")
    arguments.add_argument("--source", type=pathlib.Path, help="a JPEG of about 6 megapixels; else one is drawn")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--images", type=int, default=500)
    arguments.add_argument("--go-iiif-wall", type=float, default=GO_IIIF_WALL)
    given = arguments.parse_args()
    work = HERE / "work" / "iiif-process"
    shutil.rmtree(work, ignore_errors=True)
    (work / "images").mkdir(parents=True)
    # In memory where there is room, so that the disk's noise is not in the way.
    memory = pathlib.Path("/dev/shm")
    cache = (memory if memory.is_dir() else work) / "imgmill-bench-iiif"
    shutil.copy(EXAMPLE / "instructions.json", work)
    config = json.loads((EXAMPLE / "config.json").read_text())
    config["images"]["source"]["path"] = str(work / "images")
    config["derivatives"]["cache"]["path"] = str(cache)
    (work / "config.json").write_text(json.dumps(config))
    imgmill = given.imgmill.resolve()
    draw(imgmill, work, given)
    big, peer = [], []
    for _ in range(given.rounds):
        big.append(process(imgmill, work, cache, ["big.jpg"]))
        if shutil.which("vips") and shutil.which("vipsthumbnail"):
            peer.append(libvips(work, cache))
    names = [path.name for path in sorted((work / "images").glob("small-*.jpg"))][: given.images]
    many = [process(imgmill, work, cache, names) for _ in range(min(3, given.rounds))]
    shutil.rmtree(cache, ignore_errors=True)
    one, all_of = measure.median(big), measure.median(many)
    busy = statistics.median(cost.cpu / cost.wall for cost in many) / os.cpu_count()
    print("| Work | Wall | Slowest over fastest | CPU | Peak | |")
    print("|---|---|---|---|---|---|")
    ratio = f"1/{given.go_iiif_wall / one.wall:.1f} of go-iiif's {given.go_iiif_wall:.1f} s"
    print(f"| one JPEG of 6 megapixels | {one.wall:.3f} s | ×{measure.spread(big):.2f} | {one.cpu:.3f} s | {one.peak:.0f} MB | {ratio} |")
    if peer:
        vips = measure.median(peer)
        times = f"imgmill takes {one.wall / vips.wall:.2f} of its wall time, {one.cpu / vips.cpu:.2f} of its CPU time"
        print(f"| the same by libvips, less dithering, services and report | {vips.wall:.3f} s | ×{measure.spread(peer):.2f} | {vips.cpu:.3f} s | {vips.peak:.0f} MB | {times} |")
    rate = f"{len(names) / all_of.wall:.1f} images/s, {busy * 100:.0f} % of {os.cpu_count()} cores"
    print(f"| {len(names)} JPEGs of 1000 px | {all_of.wall:.2f} s | ×{measure.spread(many):.2f} | {all_of.cpu:.2f} s | {all_of.peak:.0f} MB | {rate} |")


def draw(imgmill, work, given):
    """The photographs: drawn by imgmill's own samples, cut to size by imgmill."""
    samples = imgmill.parent / "imgmill-samples"
    images = work / "images"
    if given.source:
        shutil.copy(given.source, images / "big.jpg")
    else:
        subprocess.run([samples, "write", work / "big", "--count", "1", "--width", "3000", "--height", "2000"], check=True)
        shutil.copy(next((work / "big").rglob("*.jpg")), images / "big.jpg")
    subprocess.run([samples, "write", work / "small", "--count", str(given.images), "--width", "1000", "--height", "1000"], check=True)
    for number, path in enumerate(sorted((work / "small").rglob("*.jpg"))):
        shutil.move(path, images / f"small-{number:04}.jpg")


def process(imgmill, work, cache, names):
    shutil.rmtree(cache, ignore_errors=True)
    command = [imgmill, "iiif", "process", "-config", work / "config.json"]
    command += ["-instructions", work / "instructions.json", "-report", "-quiet", *names]
    cost = measure.run(command, log=work / "log")
    reports = len(list(cache.rglob("process.json")))
    if reports != len(names):
        sys.exit(f"{reports} reports for {len(names)} images: see {work / 'log'}")
    return cost


def libvips(work, cache):
    """The derivatives o, b and d of the example, each by a command of its own, as the tools are used."""
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    big, log = work / "images" / "big.jpg", work / "log"
    costs = [
        measure.run(["vips", "copy", big, f"{cache}/o.jpg[Q={QUALITY}]"], log=log),
        measure.run(["vipsthumbnail", big, "--size", "2048x1536", "-o", f"{cache}/b.jpg[Q={QUALITY}]"], log=log),
        measure.run(["vips", "smartcrop", big, f"{cache}/d.jpg[Q={QUALITY}]", "320", "320"], log=log),
    ]
    return measure.Cost(sum(c.wall for c in costs), sum(c.cpu for c in costs), max(c.peak for c in costs))


if __name__ == "__main__":
    main()
