"""The isolation table: what derive processes cost beside threads over the same list, and what one holds while it
waits."""

import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path

import measure
import watch
import works

MOST = 0.05
IDLE = 25


def memory():
    """A folder in memory with room enough for these runs, if there is one."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > 8 << 30 else None


def report(bench, rounds, say):
    """The section's lines."""
    recipes = {
        "gray": [],
        "250 px": ["--derive", works.THUMBNAIL, "--discard"],
    }
    runs = {(name, isolate): [] for name in recipes for isolate in ("none", "process")}
    for number in range(rounds):
        for name, options in recipes.items():
            # The one that goes first is not always the same.
            for isolate in ("none", "process") if number % 2 == 0 else ("process", "none"):
                cost = works.imgmill(bench, f"{name}-{isolate}", bench.urls, "--isolate", isolate, *options)
                runs[name, isolate].append(cost)
                shutil.rmtree(bench.last)
                say(f"isolation: round {number + 1}: {name} {isolate} {cost.wall:.3f} s")
    count = len(bench.urls)
    where = "in memory" if memory() else "on disk"
    yield f"{count:,} JPEGs of 1000×1000 from nginx on loopback, stored {where}. Medians of {rounds} rounds, in turn."
    yield ""
    yield "| Work | `none` | `process` | Costs | Goal | Met | Fastest runs | CPU: `none`, `process` | Slowest over fastest |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in recipes:
        here, there = (measure.median(runs[name, isolate]) for isolate in ("none", "process"))
        # Of runs that followed each other: a machine has slow minutes.
        pairs = zip(runs[name, "none"], runs[name, "process"])
        cost = statistics.median(1 - one.wall / other.wall for one, other in pairs)
        fastest = 1 - min(run.wall for run in runs[name, "none"]) / min(run.wall for run in runs[name, "process"])
        spread = ", ".join(f"×{measure.spread(runs[name, isolate]):.2f}" for isolate in ("none", "process"))
        yield (
            f"| {count:,} URLs to {name} | {count / here.wall:.1f} images/s | {count / there.wall:.1f} images/s "
            f"| {cost:.1%} | ≤ {MOST:.0%} | {'yes' if cost <= MOST else '**no**'} | {fastest:.1%} "
            f"| {here.cpu:.2f} s, {there.cpu:.2f} s: {there.cpu / here.cpu - 1:+.1%} | {spread} |"
        )
    yield ""
    yield "| A derive process, idle after | resident | of that its own | its share | Goal | Met |"
    yield "|---|---|---|---|---|---|"
    for name, options in recipes.items():
        resident, own, share = idle(bench, name, options)
        met = "yes" if resident <= IDLE else "**no**"
        yield f"| {name} | {resident:.1f} MB | {own:.1f} MB | {share:.1f} MB | ≤ {IDLE} MB | {met} |"


def idle(bench, name, options):
    """MB of the largest derive process that made some images and waits for another, whose server never answers."""
    home = bench.fresh(f"idle-{name}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        listed = home / "input.csv"
        rows = [*bench.urls[:40], f"http://127.0.0.1:{silent.getsockname()[1]}/"]
        listed.write_text("url\n" + "".join(f"{row}\n" for row in rows))
        report = home / "report.jsonl"
        command = [bench.imgmill, "run", "--input", listed, "--output", home / "output.csv", "--quiet", *options]
        command += ["--report", report, "--isolate", "process"]
        command += ["--store", f"file://{home}/store", "--work-dir", home / "work"]
        process = subprocess.Popen(command, env=measure.ENVIRONMENT, stderr=subprocess.DEVNULL)
        try:
            stored = home / "store"
            made = lambda: sum(1 for file in stored.glob("*.jpg")) if stored.exists() else 0
            until = time.monotonic() + 60
            while made() < 40 and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(1)
            children = [pid for pid in watch.tree(process.pid) if pid != process.pid]
            if not children:
                raise measure.Failed(f"no derive process to look at; see {home}")
            figures = [
                tuple(watch.share(pid, field) / 1e6 for field in ("Rss", "Pss_Anon", "Pss")) for pid in children
            ]
        finally:
            process.kill()
            process.wait()
    shutil.rmtree(home)
    return max(figures)
