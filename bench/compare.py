#!/usr/bin/env python3
"""Measures imgmill beside the peers it is meant to beat, on the same files in the same run, and prints
Markdown tables, with the runs behind them. README.md beside this file says what is measured and how.

    bench/compare.py [--tables runs,isolation,engine,pyramids] [--rounds N] [--imgmill PATH] [--samples PATH]
                     [--images N] [--only NAME,NAME] [--source FILE.jpg] [--page FILE.jpg]
                     [--times N]
"""

import argparse
import contextlib
import datetime
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import engine.section
import isolation
import measure
import pyramids
import site_server
import table
import tools
import works

BENCH = Path(__file__).resolve().parent
WORK = BENCH / "work"
TABLES = "runs,isolation,engine,pyramids"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", BENCH.parent / "target"))


def main():
    options = arguments()
    tools.install_missing()
    found = {name: tools.find(name) for name in tools.PACKAGES}
    sections, failed = [machine()], False
    if "runs" in options.tables:
        lines, failed = whole_runs(options, found)
        sections.append("## Whole runs\n\n" + lines)
    if "isolation" in options.tables:
        # Where a file system costs least, a process costs most; and its noise is not that of the disk.
        with served(options, found, isolation.memory() or WORK) as bench:
            lines = isolation.report(bench, options.rounds, say)
            sections.append("## Isolation\n\n" + "\n".join(lines))
    if "engine" in options.tables:
        source = options.source or photographs(options.samples, "photograph", 1, 2725, 2225)[0]
        program = TARGET / "release" / "examples" / "cost"
        if not program.exists():
            say("cargo build --release -p imgmill-image --example cost: only the peers are measured")
        lines = engine.section.report(
            source.absolute(), program, found["convert"], WORK, TARGET, options.rounds, options.times, say
        )
        sections.append("## The engine\n\n" + "\n".join(lines))
    if "pyramids" in options.tables:

        def draw(width, height):
            if options.page and (width, height) == (9810, 8010):
                return options.page.absolute()
            if width * height > 200_000_000:
                return wall(options.samples, width, height)
            return photographs(options.samples, "large-page", 1, width, height)[0]

        lines = pyramids.report(options.imgmill, draw, WORK, options.rounds, say)
        sections.append("## Pyramids and tiles\n\n" + "\n".join(lines))
    report = "\n\n".join(sections)
    (WORK / "latest.md").write_text(report + "\n")
    print(report)
    return 1 if failed else 0


def whole_runs(options, found):
    """The section's text, and whether a work failed."""
    found["img2dataset"] = tools.install_img2dataset(WORK / "venv", BENCH / "requirements.txt")
    with served(options, found) as bench:
        if bench.imgmill is None:
            say(f"{options.imgmill} is not there: only the peers are measured")
        costs, failures = take_turns(works.all_works(bench), options)
        lines = [*heading(found, bench), "", table.table(bench, costs), "", table.runs_table(costs), *failures]
        if failures:
            bench.keep = True
    return "\n".join(lines), bool(failures)


@contextlib.contextmanager
def served(options, found, home=None):
    """What works share, while a web server has the images; they store below `home`."""
    if found["nginx"] is None:
        sys.exit("compare.py: nginx is needed to serve the images")
    photos = photographs(options.samples, "photos", options.images, 1000, 1000)
    large = photographs(options.samples, "large", 20, 3000, 2000)
    with site_server.serve(found["nginx"], WORK, WORK / "nginx") as site:
        bench = works.Bench(
            work=WORK,
            imgmill=options.imgmill if options.imgmill.exists() else None,
            tools=found,
            urls=[f"{site}/{photo.relative_to(WORK)}" for photo in photos],
            photos=photos,
            large_photos=large,
            linear_count=min(200, options.images),
            repeats=100,
            runs=Path(tempfile.mkdtemp(prefix="runs-", dir=home or WORK)),
            numbers=itertools.count(1),
        )
        yield bench
    # Only now, and not between runs: for minutes after files were removed, ext4 searches longer for a new
    # one's place, and whichever work came next would pay for it.
    if not bench.keep:
        shutil.rmtree(bench.runs)


def arguments():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    imgmill = os.environ.get("IMGMILL", TARGET / "release" / "imgmill")
    parser.add_argument("--imgmill", type=Path, default=Path(imgmill), help="the program under test")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    parser.add_argument("--tables", default=TABLES, help=f"which tables, comma-separated: {TABLES}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000, help="runs: how many")
    parser.add_argument("--only", default="", help="runs: only works whose names begin so, comma-separated")
    parser.add_argument("--source", type=Path, help="engine: a JPEG; default: one drawn by code, 2725×2225")
    parser.add_argument("--page", type=Path, help="pyramids: a JPEG of 9810×8010 in place of the drawn one")
    parser.add_argument("--times", type=int, default=5, help="engine: how often in a round")
    options = parser.parse_args()
    options.imgmill = options.imgmill.absolute()
    options.tables = options.tables.split(",")
    if unknown := set(options.tables) - set(TABLES.split(",")):
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    if options.source and not options.source.is_file():
        parser.error(f"no such file: {options.source}")
    return options


def photographs(samples, name, count, width, height):
    """The paths of `count` JPEGs, drawn once and kept for the next run."""
    directory = WORK / f"{name}-{width}x{height}"
    wanted = [directory / f"photo_{number:06}.jpg" for number in range(1, count + 1)]
    if not all(photo.exists() for photo in wanted):
        if not samples.exists():
            sys.exit(f"compare.py: {samples} is not there: cargo build --release -p imgmill-testing")
        say(f"drawing {count} photos of {width}×{height}")
        sizes = ["--count", count, "--width", width, "--height", height]
        subprocess.run([str(part) for part in [samples, "write", directory, *sizes]], check=True)
    return wanted


def wall(samples, width, height):
    """The path of a JPEG too large to be drawn at once."""
    path = WORK / f"wall-{width}x{height}.jpg"
    if not path.exists():
        say(f"drawing {width}×{height} pixels")
        sizes = ["--width", str(width), "--height", str(height)]
        subprocess.run([samples, "wall", path.with_suffix(".part"), *sizes], check=True)
        path.with_suffix(".part").rename(path)
    return path


def take_turns(all_works, options):
    """Each round runs every work once, so that whatever else the machine does falls on all alike. A work
    that fails is reported and not tried again."""
    chosen = tuple(options.only.split(","))
    costs = {name: [] for name in all_works if name.startswith(chosen)}
    failures = []
    for turn in range(options.rounds):
        for name in [name for name in costs if costs[name] is not None]:
            try:
                # So short a work wants more runs.
                times = 10 if name == "version" else 1
                costs[name] += [all_works[name]() for _ in range(times)]
                say(f"round {turn + 1}: {name} {costs[name][-1].wall:.3f} s")
            except measure.Failed as failure:
                failures.append(f"\n**{name} failed:** {failure}")
                say(failures[-1])
                costs[name] = None
    return {name: runs or [] for name, runs in costs.items()}, failures


def heading(found, bench):
    """On what and with what this was measured."""
    versions = [
        bench.imgmill and tools.first_line([bench.imgmill, "--version"]),
        found["convert"] and tools.first_line([found["convert"], "-version"]),
        found["curl"] and tools.first_line([found["curl"], "--version"]),
        found["img2dataset"] and tools.img2dataset_version(found["img2dataset"]),
        found["jpegtran"] and tools.first_line([found["jpegtran"], "-version", os.devnull]),
        tools.first_line([found["nginx"], "-v"]),
    ]
    weight = sum(photo.stat().st_size for photo in bench.photos) / len(bench.photos) / 1000
    yield f"{len(bench.photos):,} JPEGs of 1000×1000, {weight:.0f} KB each on average. Medians."
    short = [version.split(" (")[0].split(" http")[0].strip() for version in versions if version]
    yield "With " + "; ".join(short) + "."


def machine():
    today = datetime.date.today()
    return f"Measured {today} on {os.cpu_count()} cores, {processor()}, {memory()}, {system()}."


def processor():
    return field("/proc/cpuinfo", "model name") or platform.processor() or "processor unknown"


def memory():
    total = field("/proc/meminfo", "MemTotal")
    return f"{int(total.split()[0]) / 1024 / 1024:.0f} GB" if total else "memory unknown"


def system():
    return (field("/etc/os-release", "PRETTY_NAME", "=") or platform.platform()).strip('"')


def field(file, name, separator=":"):
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    values = [line.split(separator, 1)[1].strip() for line in lines if line.startswith(name)]
    return values[0] if values else None


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
