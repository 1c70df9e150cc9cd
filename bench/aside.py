#!/usr/bin/env python3
"""Pyramids of sources that cannot be read in order, beside libvips: time, and memory by what stands behind it.

    bench/aside.py SOURCE… [--imgmill PATH] [--peer PYTHON] [--memory SIZE] [--rounds N]

Memory is looked at every 10 ms, of the program and all that it started (/proc/PID/smaps_rollup): what is anonymous is
the program's; what is mapped of files on disk (the program's own code, and what imgmill lays aside) belongs to the page
cache, which the system writes out when others want it. --peer names a Python that has pyvips.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "bench"))

import watch  # noqa: E402

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MB = 1_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| Source → deflate pyramid | | Wall | Anonymous memory | Mapped from files |")
    print("|---|---|---|---|---|")
    for source in options.sources:
        ways = {"imgmill, in a thread": "none", "imgmill, in a process": "process"}
        runs = {name: [] for name in [*ways, *(["libvips"] if options.peer else [])]}
        for _ in range(options.rounds):
            for name, costs in runs.items():
                with tempfile.TemporaryDirectory(dir=TARGET) as folder:
                    folder = Path(folder)
                    if name in ways:
                        command = ours(options, source.resolve(), folder, ways[name])
                    else:
                        program = ROOT / "bench" / "peers" / "pyramid_libvips.py"
                        command = [options.peer, program, source.resolve(), folder / "p.tif", "deflate"]
                    costs.append(run(command, folder))
        for name, costs in runs.items():
            wall, anonymous, mapped = (statistics.median(numbers) for numbers in zip(*costs))
            print(f"| {source.name} | {name} | {wall:.2f} s | {anonymous / MB:.0f} MB | {mapped / MB:.0f} MB |")


def ours(options, source, folder, isolate):
    (folder / "input.csv").write_text(f"url\n{source}\n")
    (folder / "recipe.json").write_text(json.dumps({"p": {"format": "ptif"}}))
    return [
        options.imgmill, "run", "--input", folder / "input.csv", "--output", folder / "output.csv",
        "--recipe", folder / "recipe.json", "--store", folder.as_uri(), "--discard", "--quiet",
        "--work-dir", folder / "work", "--isolate", isolate, "--memory", options.memory,
        "--max-pixels", "2000000000", "--max-bytes", "4GiB",
    ]  # fmt: skip


def run(command, folder):
    """Seconds, and the most bytes of anonymous memory and of mapped files, in all its processes."""
    began = time.perf_counter()
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        anonymous = mapped = 0
        while process.poll() is None:
            pids = watch.tree(process.pid)
            private = sum(watch.share(pid, "Anonymous") for pid in pids) + watch.unmapped(pids)
            anonymous = max(anonymous, private)
            mapped = max(mapped, sum(watch.share(pid) for pid in pids) - private)
            time.sleep(0.01)
    wall = time.perf_counter() - began
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{(folder / 'log.txt').read_text()}")
    return wall, anonymous, mapped


if __name__ == "__main__":
    main()
