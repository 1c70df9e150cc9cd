#!/usr/bin/env python3
"""Measures the queue worker beside its users' own stack (peers/image_service.py) and prints Markdown.

    bench/worker.py [--messages 500] [--rounds 3] [--flat 5000] [--imgmill PATH] [--samples PATH]

Queues and stores are folders, in memory where there is room, so that what is measured is the worker and no stand-in for a service. The images, JPEGs of 1,400
to 3,000 px, come from nginx on loopback. A message's image goes into a folder of its own, so none is found made.
`--flat N` measures memory over N messages instead; 0 leaves it out.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import isolation
import measure
import site_server
import tools
import watch

BENCH = Path(__file__).resolve().parent
WORK = BENCH / "work" / "worker"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", BENCH.parent / "target"))
SIZES = [(1400, 1050), (1800, 1200), (2000, 2000), (2400, 1600), (3000, 2000)]
EACH = 10
CORES = os.cpu_count()


def main():
    options = arguments()
    tools.install_missing()
    photos = draw(options.samples)
    python = environment()
    with site_server.serve(tools.find("nginx"), photos, WORK / "nginx") as site:
        urls = [f"{site}/{path.relative_to(photos)}" for path in sorted(photos.glob("*/*.jpg"))]
        if options.messages:
            rates(options, python, urls, site)
        if options.flat:
            flat(options, urls, site)
    for name in ("ours", "theirs", "flat"):
        shutil.rmtree(home_of(name), ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--peer-messages", type=int, default=100, help="fewer, since each takes it as long")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flat", type=int, default=5000)
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    return parser.parse_args()


def draw(samples):
    photos = WORK / "photos"
    for width, height in SIZES:
        folder = photos / f"{width}x{height}"
        if len(list(folder.glob("*.jpg"))) < EACH:
            shutil.rmtree(folder, ignore_errors=True)
            size = ["--width", str(width), "--height", str(height), "--seed", str(width)]
            subprocess.run([samples, "write", folder, "--count", str(EACH), *size], check=True)
    return photos


def environment():
    """Python with what the peer needs."""
    python = WORK / "python" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "python"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", BENCH / "requirements-worker.txt"], check=True)
    return python


def home_of(name):
    """Where a side's queues and store are: in memory where there is room, so that the disk's noise is not in the way."""
    return (isolation.memory() or WORK) / f"imgmill-bench-{name}"


def fill(home, urls, count):
    """A fresh home with `count` messages in its queue."""
    shutil.rmtree(home, ignore_errors=True)
    for folder in ("queue", "next", "store"):
        (home / folder).mkdir(parents=True)
    for number in range(count):
        message = {
            "image_url": urls[number % len(urls)],
            "bucket_name": f"b{number // len(urls)}",
            "redirect_queue": "next",
            "number": number,
        }
        (home / "queue" / f"{number:06}.json").write_text(json.dumps(message))


def command(options, home, site):
    host = site.removeprefix("http://")
    return [
        options.imgmill, "worker", "--queue", f"dir:{home}/queue", "--store", home / "store", "--until-empty",
        "--wait", "0.05", "--allow-host", host, "--work-dir", home / "work", "--log-level", "warn",
    ]  # fmt: skip


def check(home, count):
    stored = len(list((home / "store").glob("images-resized/*/*.jpeg")))
    sent = len(list((home / "next").glob("*.json")))
    if (stored, sent) != (3 * count, count):
        raise measure.Failed(f"{stored} images and {sent} messages of {count} in {home}")


def rates(options, python, urls, site):
    ours, ones, twos = [], [], []
    for number in range(options.rounds):
        home = home_of("ours")
        fill(home, urls, options.messages)
        ours.append(measure.run(command(options, home, site), log=WORK / "ours.log"))
        check(home, options.messages)
        for costs, processes in ((ones, 1), (twos, CORES)):
            costs.append(peer(options, python, urls, processes))
        print(f"round {number + 1}: {ours[-1]}, {ones[-1]}, {twos[-1]}", file=sys.stderr)
    rate = lambda costs, count: count / statistics.median(cost.wall for cost in costs)
    mine = rate(ours, options.messages)
    share = statistics.median(cost.cpu / cost.wall / CORES for cost in ours)
    print("| Worker | images/s | imgmill's rate over it | CPU of all cores | spread |\n|---|---|---|---|---|")
    print(f"| `imgmill worker`, {options.messages} messages | {mine:.1f} | 1 | {share:.0%} | {measure.spread(ours):.2f} |")
    for name, costs in (("one process", ones), (f"{CORES} processes", twos)):
        theirs = rate(costs, options.peer_messages)
        share = statistics.median(cost.cpu / cost.wall / CORES for cost in costs)
        print(
            f"| requests and Pillow, {name}, {options.peer_messages} messages | {theirs:.1f} | {mine / theirs:.1f} |"
            f" {share:.0%} | {measure.spread(costs):.2f} |"
        )


def peer(options, python, urls, processes):
    """The users' stack: so many of its processes on one queue."""
    home = home_of("theirs")
    fill(home, urls, options.peer_messages)
    script = [python, BENCH / "peers" / "image_service.py", home / "queue", home / "next", home / "store"]
    line = " & ".join([" ".join(map(str, script))] * processes)
    cost = measure.run(["sh", "-c", f"{line} & wait"], log=WORK / "theirs.log")
    check(home, options.peer_messages)
    return cost


def flat(options, urls, site):
    home = home_of("flat")
    fill(home, urls, options.flat)
    seen = []
    with open(WORK / "flat.log", "wb") as log:
        process = subprocess.Popen(command(options, home, site), stdin=subprocess.DEVNULL, stderr=log)
        while process.poll() is None:
            done = len(os.listdir(home / "next")) - 1
            seen.append((done, watch.total(process.pid)))
            time.sleep(0.2)
    if process.returncode != 0:
        raise measure.Failed(f"the worker ended with {process.returncode}; see {WORK / 'flat.log'}")
    check(home, options.flat)
    steps = [50, 250, 500, 1000, 2000, 3000, 4000, options.flat]
    print(f"\n| Messages done | {' | '.join(f'to {step:,}' for step in steps[1:])} |\n|---|{'---|' * len(steps[1:])}")
    medians = []
    for low, high in zip(steps, steps[1:]):
        values = [held / watch.MIB for done, held in seen if low <= done < high]
        medians.append(f"{statistics.median(values):.0f}" if values else "–")
    print(f"| Memory held, MiB, median | {' | '.join(medians)} |")


if __name__ == "__main__":
    main()
