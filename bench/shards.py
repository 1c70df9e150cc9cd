#!/usr/bin/env python3
"""Measures what sharding costs: one process over a list beside eight shards of it at once, and merging; and a function's
first invocation. Prints Markdown.

    bench/shards.py [--rows 400] [--rounds 3] [--imgmill PATH] [--samples PATH]

Images are files, so that what is measured is imgmill and no network. Each shard has one thread, one process has all cores.
"""

import argparse
import http.server
import os
import resource
import shutil
import statistics
import subprocess
import threading
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
WORK = BENCH / "work" / "shards"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", BENCH.parent / "target"))
SHARDS = 8


def main():
    options = arguments()
    photos = WORK / "photos"
    if not photos.exists():
        subprocess.run([options.samples, "write", photos, "--count", str(options.rows), "--width", "1600", "--height", "1200"], check=True)
    names = sorted(photos.iterdir())[: options.rows]
    (WORK / "list.csv").write_text("url\n" + "".join(f"{name}\n" for name in names))
    single, sharded, merging = [], [], []
    for _ in range(options.rounds):
        single.append(timed(lambda: one(options)))
        sharded.append(timed(lambda: shards(options)))
        merging.append(timed(lambda: merge(options)))
        if (WORK / "merged.csv").read_bytes() != (WORK / "single.csv").read_bytes():
            raise SystemExit("the merged list is another one")
    median = lambda runs, index: statistics.median(run[index] for run in runs)
    print(f"| {options.rows} JPEGs of 1600×1200 to 250 px, 2 cores | wall | CPU |\n|---|---|---|")
    for name, runs in (("one process", single), (f"{SHARDS} shards at once", sharded), ("merging", merging)):
        print(f"| {name} | {median(runs, 0):.2f} s | {median(runs, 1):.2f} s |")
    print(f"\nCPU of the shards by that of one process: {median(sharded, 1) / median(single, 1):.3f}")
    if options.function:
        print(f"First request for an event after the start: {statistics.median(started(options) for _ in range(9)) * 1000:.0f} ms")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--function", action="store_true", help="how soon a function is ready (a build with FEATURES=lambda)")
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    return parser.parse_args()


def timed(work):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def command(options, output, *more):
    return [options.imgmill, "run", "--input", WORK / "list.csv", "--output", WORK / output, "--store", WORK / "store",
            "--derive", "small=full/!250,250/0/default.jpg", "--discard", "--quiet", *more]


def one(options):
    shutil.rmtree(WORK / "store", ignore_errors=True)
    subprocess.run(command(options, "single.csv"), check=True)


def shards(options):
    shutil.rmtree(WORK / "store", ignore_errors=True)
    running = [subprocess.Popen(command(options, "out.csv", "--threads", "1", "--shard", f"{index}/{SHARDS}")) for index in range(SHARDS)]
    if any(child.wait() for child in running):
        raise SystemExit("a shard failed")


def merge(options):
    parts = [WORK / f"out.{index}-of-{SHARDS}.csv" for index in range(SHARDS)]
    subprocess.run([options.imgmill, "merge", "--quiet", "--input", WORK / "list.csv", "--output", WORK / "merged.csv", *parts], check=True)


def started(options):
    """Seconds from the start of the process until it asks for its first event."""
    asked = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.set()
            time.sleep(1)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1",
                   "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769", "IMGMILL_HANDLER": "map", "S3_BUCKET": "b", "AWS_REGION": "eu-west-1"}
    begun = time.monotonic()
    process = subprocess.Popen([options.imgmill], env=environment, stderr=subprocess.DEVNULL)
    if not asked.wait(10):
        raise SystemExit("the function never asked for an event; is this a build with FEATURES=lambda?")
    took = time.monotonic() - begun
    process.kill()
    process.wait()
    server.shutdown()
    return took


if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    main()
