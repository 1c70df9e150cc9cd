#!/usr/bin/env python3
"""Pyramids from a bucket: `imgmill bucket drain` beside the design that it replaces, in turn, against one S3 server on
loopback; then listings of many records. Prints a section for RESULTS.md."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path

import tools
import watch

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
# Megapixels, width, height; as many of each.
SIZES = [(4, 2449, 1633), (8, 3464, 2309), (12, 4243, 2828), (16, 4899, 3266), (24, 6000, 4000)]
# Of ten images of a size, how many are what.
MIX = ["jpg"] * 6 + ["png"] * 2 + ["tif"] * 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--records", type=int, default=100_000, help="records that are listed; 0 for none")
    parser.add_argument("--target", type=Path, default=target, help="where imgmill, imgmill-samples and imgmill-s3 are")
    parser.add_argument("--work", type=Path, default=BENCH / "work")
    parser.add_argument("--prepare", action="store_true", help="draw the images and install the peer, no more")
    arguments = parser.parse_args()
    python = tools.install_python(arguments.work / "venv-bucket", BENCH / "requirements-bucket.txt")
    images = drawn(arguments, python)
    if arguments.prepare:
        return
    lines = [f"`bench/bucket.py --rounds {arguments.rounds}`, {date.today()}, {os.cpu_count()} cores, {platform.machine()}.", ""]
    lines += drains(arguments, python, images)
    if arguments.records:
        lines += ["", *listings(arguments)]
    print("\n".join(lines))


def say(text):
    print(text, file=sys.stderr)


def drawn(arguments, python):
    """The images, drawn once: (key, file)."""
    home = arguments.work / "bucket-originals"
    each = max(1, arguments.images // len(SIZES))
    for megapixels, width, height in SIZES:
        folder = home / f"{megapixels}"
        if len(list(folder.glob("photo_*.jpg"))) < each:
            say(f"drawing {each} images of {megapixels} megapixels")
            size = ["--width", str(width), "--height", str(height), "--seed", str(megapixels * 1000)]
            subprocess.run([arguments.target / "imgmill-samples", "write", folder, "--count", str(each), *size], check=True)
    images = []
    for megapixels, _, _ in SIZES:
        for number, jpeg in enumerate(sorted((home / f"{megapixels}").glob("photo_*.jpg"))[:each]):
            kind = MIX[number % len(MIX)]
            file = jpeg.with_suffix(f".{kind}")
            if not file.exists():
                options = "[compression=lzw]" if kind == "tif" else ""
                program = "import pyvips, sys; pyvips.Image.new_from_file(sys.argv[1]).write_to_file(sys.argv[2])"
                subprocess.run([python, "-c", program, jpeg, f"{file}{options}"], check=True)
            images.append((f"{megapixels}/{file.name}", file))
    return images


@contextmanager
def server(arguments):
    """The S3 server with its three buckets: its endpoint, the environment for it, and the folder of its objects."""
    command = [arguments.target / "imgmill-s3", "originals", "process", "pyramids"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        told = json.loads(process.stdout.readline())
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | {
            "AWS_ENDPOINT_URL": told["endpoint"],
            "AWS_ACCESS_KEY_ID": told["access_key"],
            "AWS_SECRET_ACCESS_KEY": told["secret_key"],
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "RBSC_BUCKET": "originals",
            "PROCESS_BUCKET": "process",
            "IMAGE_BUCKET": "pyramids",
        }
        yield told["endpoint"], environment, Path(told["folder"])
    finally:
        process.stdin.close()
        process.wait()


def drains(arguments, python, images):
    """Both designs in turn."""
    works = {"imgmill": ours, "original": original}
    runs = {name: [] for name in works}
    total = sum(file.stat().st_size for _, file in images)
    with server(arguments) as (endpoint, environment, folder):
        for key, file in images:
            place = folder / "originals" / key
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        for number in range(arguments.rounds):
            for name, work in works.items():
                shutil.rmtree(folder / "pyramids")
                (folder / "pyramids").mkdir()
                runs[name].append(work(arguments, python, images, endpoint, environment, folder))
                made = list((folder / "pyramids").rglob("*.tif"))
                if len(made) != len(images):
                    raise SystemExit(f"{name}: {len(made)} pyramids of {len(images)} images")
                wall, peak = runs[name][-1]
                size = sum(file.stat().st_size for file in made)
                say(f"round {number + 1}: {name}: {wall:.1f} s, {peak / 1e6:.0f} MB of memory, {size / 1e6:.0f} MB of pyramids")
    wall = {name: statistics.median(run[0] for run in of) for name, of in runs.items()}
    peak = {name: max(run[1] for run in of) / 1e6 for name, of in runs.items()}
    ratio = wall["original"] / wall["imgmill"]
    mark = lambda met: "yes" if met else "no"
    return [
        f"{len(images)} images of 4 to 24 megapixels ({total / 1e6:.0f} MB: 6 in 10 JPEG, 2 PNG, 2 TIFF) from an S3 server on"
        " loopback that shares the cores; medians of the wall time, peaks of the memory of all processes together.",
        "",
        "| Work | imgmill | Original design | Ratio | Goal | Met |",
        "|---|---|---|---|---|---|",
        f"| {len(images)} pyramids, deflate, 512 tiles, at most 4000×4000 | {wall['imgmill']:.1f} s | {wall['original']:.1f} s"
        f" | {ratio:.2f}× | ≥ 2.5× | {mark(ratio >= 2.5)} |",
        f"| peak memory | {peak['imgmill']:.0f} MB | {peak['original']:.0f} MB | {peak['imgmill'] / peak['original']:.2f}"
        f" | < 400 MB | {mark(peak['imgmill'] < 400)} |",
    ]


def ours(arguments, _python, images, _endpoint, environment, folder):
    process = folder / "process"
    shutil.rmtree(process)
    for key, _ in images:
        place = process / "rbsc" / "v2" / sha256(key.encode()).hexdigest() / "00.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({"key": key, "bucket": "originals", "sequencer": "00"}))
    work = arguments.work / "bucket-work"
    command = [arguments.target / "imgmill", "bucket", "drain", "--quiet", "--work-dir", work]
    return run(command, arguments, environment)


def original(arguments, python, images, endpoint, environment, folder):
    process = folder / "process"
    shutil.rmtree(process)
    (process / "rbsc").mkdir(parents=True)
    for number, (key, _) in enumerate(images):
        (process / "rbsc" / f"{number}.json").write_text(json.dumps({"key": key, "path": key.rsplit("/", 1)[0] + "/"}))
    work = arguments.work / "bucket-work-original"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    program = BENCH / "peers" / "bucket_pyvips.py"
    command = [python, program, endpoint, "originals", "process", "pyramids", "3", work]
    return run(command, arguments, environment)


def run(command, arguments, environment):
    log = arguments.work / "bucket.log"
    code, wall, peak = watch.run(command, log, environment)
    if code != 0:
        raise SystemExit(f"{command[0]} ended with {code}:\n{log.read_text()}")
    return wall, peak


def listings(arguments):
    """Long lists: a tenth as many, then all, to see that memory does not grow with them."""
    rows = []
    for name, command, place in [
        ("records counted (`status`)", ["status", "--json"], record_place),
        ("objects listed and filtered (`rerun --ext png --since 2999-01-01 --dry-run`)",
         ["rerun", "--ext", "png", "--since", "2999-01-01", "--dry-run"], object_place),
    ]:
        seen = {}
        for count in (arguments.records // 10, arguments.records):
            with server(arguments) as (_, environment, folder):
                for number in range(count):
                    file = place(folder, number)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(b"{}")
                seen[count] = run([arguments.target / "imgmill", "bucket", *command], arguments, environment)
                say(f"{count} {name}: {seen[count][0]:.1f} s, {seen[count][1] / 1e6:.0f} MB")
        (_, few), (wall, many) = seen.values()
        rows.append(
            f"| {arguments.records:,} {name} | {wall:.1f} s | < 60 s | {few / 1e6:.0f} MB for a tenth,"
            f" {many / 1e6:.0f} MB for all | {'yes' if wall < 60 and many < few * 1.25 else 'no'} |"
        )
    return ["| Long lists, from an S3 server on loopback | Wall | Goal | Memory | Met |", "|---|---|---|---|---|", *rows]


def record_place(folder, number):
    name = sha256(str(number).encode()).hexdigest()
    return folder / "process" / "rbsc" / "v2" / name / "0055AED6DCD90281E5.json"


def object_place(folder, number):
    return folder / "originals" / "digital" / f"{number // 1000}" / f"{number}.{'png' if number % 2 else 'jpg'}"


if __name__ == "__main__":
    main()
