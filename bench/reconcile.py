#!/usr/bin/env python3
"""Reconciling a million keys with nothing to do: two buckets of an S3 server on loopback, an S3 Inventory, a list, a folder.
Prints a section for RESULTS.md."""

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import watch

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
# Names of one file are links to it; a file system has so many of one.
LINKS = 50_000
RECIPE = ["--derive", "s=full/250,/0/default.jpg", "--key", "{path}/{stem}.{ext}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--target", type=Path, default=target, help="where imgmill and imgmill-s3 are")
    parser.add_argument("--work", type=Path, default=BENCH / "work" / "reconcile")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    lines = [
        f"`bench/reconcile.py --keys {arguments.keys} --rounds {arguments.rounds}`, {date.today()}, {os.cpu_count()} cores,"
        f" {platform.machine()}.",
        "",
        f"{arguments.keys:,} originals and as many derivatives, all there and good. The S3 server shares the cores with who asks"
        " it. Medians of the wall time, peaks of the memory of all processes together.",
        "",
        "| Work | Wall | Memory | Goal | Met |",
        "|---|---|---|---|---|",
    ]
    with server(arguments) as (environment, folder):
        say(f"writing {arguments.keys} originals and derivatives")
        for bucket in ("originals", "made"):
            write(folder / bucket, arguments.keys)
        manifest = inventory(arguments)
        listed = arguments.work / "list.csv"
        listed.write_text("url\n" + "".join(f"s3://originals/{key}\n" for key in keys(arguments.keys)))
        bucket, made = ["--store", "s3://made"], ["--store", folder / "made"]
        works = {
            "both buckets listed": ["--originals", "s3://originals", *bucket],
            "an S3 Inventory beside a bucket": ["--inventory", manifest, *bucket],
            "a list beside a bucket": ["--input", listed, *bucket],
            "a list beside a folder": ["--input", listed, *made],
        }
        for name, flags in works.items():
            lines.append(row(name, measured(name, ours(arguments, flags), arguments, environment)))
    shutil.rmtree(arguments.work)
    print("\n".join(lines))


def say(text):
    print(text, file=sys.stderr)


def keys(count):
    return (f"a/{number // 1000:06}/{number:09}.jpg" for number in range(count))


def write(folder, count):
    """Files of one byte, most of which are names of others."""
    folder.mkdir(parents=True, exist_ok=True)
    file = None
    for number, key in enumerate(keys(count)):
        path = folder / key
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        if number % LINKS == 0:
            path.write_bytes(b"x")
            # Originals are older than what was made of them.
            if folder.name == "originals":
                os.utime(path, (1_600_000_000, 1_600_000_000))
            file = path
        else:
            os.link(file, path)


def inventory(arguments):
    data = arguments.work / "data" / "one.csv.gz"
    data.parent.mkdir(exist_ok=True)
    with gzip.open(data, "wt", compresslevel=1) as file:
        for key in keys(arguments.keys):
            file.write(f'"originals","{key}","1","2020-09-13T12:26:40.000Z"\n')
    manifest = arguments.work / "manifest.json"
    manifest.write_text(json.dumps({
        "sourceBucket": "originals",
        "destinationBucket": "arn:aws:s3:::inventories",
        "creationTimestamp": "1700000000000",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate",
        "files": [{"key": "data/one.csv.gz", "size": data.stat().st_size}],
    }))
    return manifest


@contextmanager
def server(arguments):
    """The S3 server with its two buckets: the environment for it, and the folder of its objects."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["TMPDIR"] = str(arguments.work)
    # Of a proxy, which nobody goes through here.
    environment.pop("AWS_CA_BUNDLE", None)
    command = [arguments.target / "imgmill-s3", "originals", "made"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        told = json.loads(process.stdout.readline())
        environment |= {
            "AWS_ENDPOINT_URL": told["endpoint"],
            "AWS_ACCESS_KEY_ID": told["access_key"],
            "AWS_SECRET_ACCESS_KEY": told["secret_key"],
            "AWS_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield environment, Path(told["folder"])
    finally:
        process.stdin.close()
        process.wait()


def ours(arguments, flags):
    command = [arguments.target / "imgmill", "reconcile", *flags, *RECIPE]
    return [*command, "--report", arguments.work / "report.jsonl", "--work-dir", arguments.work / "w", "--log-level", "error"]


def measured(name, command, arguments, environment):
    walls, peaks = [], []
    for number in range(arguments.rounds):
        log = arguments.work / "log"
        code, wall, peak = watch.run(command, log, environment)
        if code != 0:
            raise SystemExit(f"{name} ended with {code}:\n{log.read_text()[-2000:]}")
        walls.append(wall)
        peaks.append(peak)
        say(f"{name}, round {number + 1}: {wall:.1f} s, {peak / 1e6:.0f} MB")
    return statistics.median(walls), max(peaks)


def row(name, seen):
    wall, peak = seen
    met = "yes" if wall < 120 and peak < 150e6 else "no"
    return f"| {name} | {wall:.1f} s | {peak / 1e6:.0f} MB | < 120 s, < 150 MB | {met} |"


if __name__ == "__main__":
    main()
