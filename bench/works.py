"""The works that are measured: what each runs, and the check that it did run. Every run has a fresh
directory, so nothing that an earlier one stored can help it."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import measure

THUMBNAIL = "t=full/!250,250/0/default.jpg"


@dataclass
class Bench:
    """What all works share."""

    work: Path
    imgmill: Path | None
    tools: dict
    urls: list
    photos: list
    large_photos: list
    linear_count: int
    repeats: int
    runs: Path
    numbers: itertools.count
    last: Path | None = None
    keep: bool = False  # what the runs left, for whoever wants to see what failed

    def fresh(self, name):
        """An empty directory for one run."""
        self.last = self.runs / f"{next(self.numbers):03}-{name}"
        self.last.mkdir(parents=True)
        return self.last


def imgmill(bench, name, sources, *options):
    """The main job over a list, as anyone would run it: no tuning beyond the options given."""
    home = bench.fresh(name)
    listed = home / "input.csv"
    listed.write_text("url\n" + "".join(f"{source}\n" for source in sources))
    output = home / "output.csv"
    command = [bench.imgmill, "run", "--input", listed, "--output", output, "--quiet", *options]
    command += ["--store", f"file://{home}/store", "--work-dir", home / "work"]
    cost = measure.run(command, log=home / "log.txt")
    expect(len(sources), len(output.read_text().splitlines()) - 1, "rows in output.csv", home)
    return cost


def linear_design(bench):
    home = bench.fresh("linear-design")
    (home / "work").mkdir()
    (home / "store").mkdir()
    urls = bench.urls[: bench.linear_count]
    script = Path(__file__).with_name("linear_design.sh")
    command = ["sh", script, bench.tools["convert"], home / "work", home / "store"]
    cost = measure.run(command, stdin_text="".join(f"{url}\n" for url in urls), log=home / "log.txt")
    expect(len(urls), sum(1 for _ in (home / "store").iterdir()), "stored images", home)
    return cost


def img2dataset(bench):
    home = bench.fresh("img2dataset")
    listed = home / "urls.txt"
    listed.write_text("".join(f"{url}\n" for url in bench.urls))
    options = {
        "url_list": listed,
        "input_format": "txt",
        "output_folder": home / "images",
        "output_format": "files",
        "image_size": 250,
        "resize_mode": "keep_ratio",
        "processes_count": 2,
        "thread_count": 32,
        # One shard would keep the second process idle.
        "number_sample_per_shard": (len(bench.urls) + 1) // 2,
    }
    command = [bench.tools["img2dataset"], *(f"--{name}={value}" for name, value in options.items())]
    # Neither a look for updates nor a report of use belongs in a measurement.
    quiet = {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
    cost = measure.run(command, environment=quiet, log=home / "log.txt")
    expect(len(bench.urls), len(list((home / "images").glob("*/*.jpg"))), "images", home)
    return cost


def jpegtran(bench, name, photos):
    home = bench.fresh(name)
    each = '"$program" -grayscale -optimize -outfile "$out/${file##*/}" "$file"'
    loop = f"program=$1; out=$2; shift 2; for file; do {each}; done"
    command = ["sh", "-euc", loop, "sh", bench.tools["jpegtran"], home, *photos]
    log = bench.runs / f"{name}.txt"
    cost = measure.run(command, log=log)
    expect(len(photos), sum(1 for _ in home.iterdir()), "gray files", home)
    return cost


def version(bench):
    return measure.run([bench.imgmill, "--version"], log=bench.runs / "version.txt")


def expect(wanted, got, what, home):
    if wanted != got:
        raise measure.Failed(f"{got} {what} instead of {wanted}; see {home}")


def all_works(bench):
    """Name to callable, in the order they take turns; only what can be run."""
    works = {}
    if bench.imgmill:
        works |= {
            "gray": lambda: imgmill(bench, "gray", bench.urls),
            "gray average": lambda: imgmill(bench, "gray-average", bench.urls, "--gray", "average"),
        }
    if bench.tools["curl"] and bench.tools["convert"]:
        works["linear design"] = lambda: linear_design(bench)
    if bench.imgmill:
        works["thumbnails"] = lambda: imgmill(
            bench, "thumbnails", bench.urls, "--derive", THUMBNAIL, "--discard"
        )
    if bench.tools["img2dataset"]:
        works["img2dataset"] = lambda: img2dataset(bench)
    if bench.imgmill:
        works |= {
            "long list": lambda: imgmill(bench, "long-list", bench.urls * bench.repeats),
            "lossless": lambda: imgmill(bench, "lossless", bench.photos, "--discard"),
            "lossless large": lambda: imgmill(bench, "lossless-large", bench.large_photos, "--discard"),
            "version": lambda: version(bench),
        }
    if bench.tools["jpegtran"]:
        works |= {
            "jpegtran": lambda: jpegtran(bench, "jpegtran", bench.photos),
            "jpegtran large": lambda: jpegtran(bench, "jpegtran-large", bench.large_photos),
        }
    return works
