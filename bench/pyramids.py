"""The pyramids table: whole runs over one large JPEG, imgmill and libvips in turn, both with all cores."""

import json
import shutil
from pathlib import Path

import measure
import tools

BENCH = Path(__file__).resolve().parent
NOT_MEASURED = "not measured"

# What is made, of a source how wide and high, and how many times libvips' wall time and CPU time it should take; MB.
DEFLATE = ("deflate pyramid, tiles of 512, predictor", "deflate", (9810, 8010), 6.0, 3.0, 100)
JPEG = ("JPEG pyramid, q 85, tiles of 512", "jpeg", (9810, 8010), 1.5, None, 100)
LARGE = ("JPEG pyramid, q 85, tiles of 512", "jpeg", (30000, 23400), 1.0, None, 300)
TILES = ("IIIF 3 level-0 tiles of 512, JPEG q 85", "iiif3", (10000, 10000), 1.5, None, None)
# As large as libvips' file may be exceeded.
EQUAL_SIZE = 1.02


def report(imgmill, draw, home, rounds, say):
    """The section's lines. `draw` gives a JPEG of a width and height, or one that is used instead."""
    python = tools.install_python(home / "venv-engine", BENCH / "requirements-engine.txt")
    shutil.rmtree(home / "pyramids", ignore_errors=True)
    yield f"Whole processes, all cores, medians of {rounds} rounds."
    yield ""
    yield "| Work | | Wall | CPU | Peak memory | Bytes |"
    yield "|---|---|---|---|---|---|"
    for name, kind, size, *bars in (DEFLATE, JPEG, LARGE, TILES):
        source = draw(*size)
        makers = {"imgmill": ours(imgmill, kind), "libvips": libvips(python, kind)}
        runs, sizes, failures = {}, {}, {}
        for number in range(rounds):
            for tool, make in makers.items():
                if tool not in failures:
                    directory = home / "pyramids" / f"{kind}-{size[0]}-{number}-{tool}"
                    directory.mkdir(parents=True)
                    try:
                        runs.setdefault(tool, []).append(make(source, directory))
                        sizes[tool] = weight(directory)
                    except measure.Failed as failure:
                        failures[tool] = str(failure)
                        say(f"pyramids: {kind}: {tool}: {failure}")
                    shutil.rmtree(directory, ignore_errors=True)
            say(f"pyramids: {size[0]}×{size[1]} → {kind}: round {number + 1} of {rounds}")
        yield from rows(f"{size[0]}×{size[1]} JPEG → {name}", runs, sizes, failures, bars)


def ours(imgmill, kind):
    def make(source, directory):
        if not imgmill.exists():
            raise measure.Failed(f"{imgmill} is not there")
        log = directory.parent / f"{directory.name}.txt"
        if kind == "iiif3":
            return measure.run([imgmill, "tile", source, "--output", directory, "--q", "85"], log=log)
        recipe = directory.parent / f"{kind}.json"
        quality = {"q": 85} if kind == "jpeg" else {}
        page = {"format": "ptif", "tile": 512, "compression": kind, **quality}
        recipe.write_text(json.dumps({"page": page}))
        listed = directory.parent / "input.csv"
        listed.write_text(f"url\n{source}\n")
        output = directory.parent / "output.csv"
        output.unlink(missing_ok=True)
        command = [imgmill, "run", "--input", listed, "--output", output, "--recipe", recipe, "--quiet"]
        command += ["--max-pixels", "1G", "--max-bytes", "1GiB"]
        return measure.run([*command, "--store", f"file://{directory}", "--discard"], log=log)

    return make


def libvips(python, kind):
    def make(source, directory):
        if python is None:
            raise measure.Failed("pyvips is not installed")
        program = BENCH / "peers" / "pyramid_libvips.py"
        output = directory / ("tiles" if kind == "iiif3" else "page.tif")
        return measure.run([python, program, source, output, kind], log=directory.parent / "libvips.txt")

    return make


def weight(directory):
    """Bytes of all image files in it; what imgmill keeps for itself begins with a dot."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if ".imgmill" not in path.parts)


def rows(name, runs, sizes, failures, bars):
    for tool in ("imgmill", "libvips"):
        if tool in failures:
            yield f"| {name} | {tool} | {NOT_MEASURED} | | | |"
        else:
            cost = measure.median(runs[tool])
            figures = f"{cost.wall:.2f} s | {cost.cpu:.2f} s | {cost.peak:.0f} MB"
            yield f"| {name} | {tool} | {figures} | {sizes[tool]:,} |"
    if not failures:
        mine, other = (measure.median(runs[tool]) for tool in ("imgmill", "libvips"))
        wall, cpu, peak = bars
        cells = (
            verdict(f"{other.wall / mine.wall:.1f}×", other.wall / mine.wall >= wall, f"≥ {wall:g}×"),
            verdict(f"{other.cpu / mine.cpu:.1f}×", other.cpu / mine.cpu >= (cpu or 0), cpu and f"≥ {cpu:g}×"),
            verdict(f"{mine.peak:.0f} MB", mine.peak <= (peak or mine.peak), peak and f"≤ {peak} MB"),
            verdict(
                f"{(sizes['imgmill'] / sizes['libvips'] - 1) * 100:+.1f} %",
                sizes["imgmill"] <= sizes["libvips"] * EQUAL_SIZE,
                # A folder of ours holds the whole images that info.json lists, which libvips leaves out.
                "" if "tiles of 512, JPEG" in name else "≤ +2 %",
            ),
        )
        yield f"| {name} | **met?** | " + " | ".join(cells) + " |"


def verdict(figure, met, bar):
    if not bar:
        return figure
    return f"{figure} ({bar}): " + ("yes" if met else "**no**")
