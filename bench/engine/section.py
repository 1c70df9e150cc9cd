"""The engine's part of the report: sources, programs, rounds, tables."""

import functools
import json
import shutil
import sys
from pathlib import Path

import measure
import tools

from . import matching, table, works
from .measurement import OURS, Measurement
from .workers import Worker, Workers, load

BENCH = Path(__file__).resolve().parent.parent
PEERS = BENCH / "peers"
NATIVE = PEERS / "native"
SHARP = "sharp@0.35.5"


def report(source, program, magick, home, target, rounds, times, say):
    """Measures everything over `source`, a JPEG, and gives the lines of the section."""
    python = tools.install_python(home / "venv-engine", BENCH / "requirements-engine.txt")
    path = python.parent if python else home
    score = tools.build_native(NATIVE, "score", target / "peers", path)
    judge = Worker([python, PEERS / "judge.py"], home / "judge.txt", {}) if python else None
    programs = {
        OURS: [program] if program.exists() else None,
        "libvips": python and [python, PEERS / "peer_libvips.py"],
        "Pillow": python and [python, PEERS / "peer_pillow.py"],
        "sharp": sharp(home / "node"),
        "oximg": oximg(target / "peers", path),
        "ImageMagick": magick,
    }
    try:
        described = judge.ask({"describe": str(source)}) if judge else {"quality": None}
        sources = {"photograph": source} | (prepared(judge, source, home) if judge else {})
    except measure.Failed as failure:
        sys.exit(f"compare.py: {source} is no JPEG that can be measured on: {failure}")
    chosen = works.all_works(described["quality"] or 85)
    shutil.rmtree(home / "outputs", ignore_errors=True)
    before = load()
    with Workers(programs, home / "logs") as workers:
        measurement = Measurement(workers, sources, home / "outputs", times)
        for number in range(1, rounds + 1):
            measurement.round(chosen)
            measurement.threads(chosen[0])
            say(f"engine: round {number} of {rounds}")
        after = load()
        measurement.weigh(chosen)
        if judge and score:
            ask = functools.partial(judged, judge, score)
            measurement.judge(chosen, ask)
            matching.match(chosen, measurement, ask)
    if judge:
        judge.close()
    yield f"{describe(source, described)} CPU time an image, medians of {rounds} rounds."
    yield f"With {', '.join(versions(python, home / 'node'))}."
    yield f"Load (processes that want a core, these too): {before:.1f} before, {after:.1f} after."
    yield ""
    yield table.table(chosen, measurement)
    yield ""
    yield table.spread_table(chosen, measurement)


def judged(judge, program, request):
    return judge.ask(request | {"program": str(program)})


def sharp(directory):
    found = tools.install_node(directory, SHARP)
    return found and ["node", PEERS / "peer_sharp.mjs", found]


def oximg(target, path):
    built = tools.build_native(NATIVE, "peer-oximg", target, path)
    return built and [built]


def prepared(judge, source, home):
    """The other sources, made of the photograph."""
    made = {"png": home / "cut-out.png", "jpeg": home / "long-side-1000.jpg"}
    judge.ask({"prepare": str(source)} | {name: str(file) for name, file in made.items()})
    return made


def describe(source, described):
    if described["quality"] is None:
        return f"A JPEG of {source.stat().st_size // 1000:,} KB."
    size = f"{described['width']}×{described['height']}, {source.stat().st_size // 1000:,} KB"
    return f"A JPEG of {size}, quality {described['quality']}."


def versions(python, node):
    ask = "import pyvips, PIL; print(*(pyvips.version(n) for n in range(3)), PIL.__version__)"
    said = (tools.first_line([python, "-c", ask]) or "").split() if python else []
    if len(said) == 4:
        yield f"libvips {'.'.join(said[:3])} (`VIPS_CONCURRENCY=1`)"
        yield f"Pillow {said[3]}"
    package = node / "node_modules" / "sharp" / "package.json"
    if package.exists():
        yield f"sharp {json.loads(package.read_text())['version']} (one thread)"
    lock = (NATIVE / "Cargo.lock").read_text().split('name = "oximg"\nversion = "', 1)
    yield f"oximg {lock[1].split(chr(34), 1)[0]}"
