#!/usr/bin/env python3
"""Has other people's programs read what imgmill makes: libtiff's tiffinfo, libvips and iipimage-server its pyramids,
the IIIF validator and OpenSeadragon in Chromium its tiles. Installs what is missing (Debian, PyPI, npm).

    conformance/pyramids/pyramids.py [--imgmill PATH] [--samples PATH] [--only tiff,server,tiles]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent.parent / "bench"))

import tools  # noqa: E402

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
PACKAGES = {"tiffinfo": "libtiff-tools", "vips": "libvips-tools", "chromium": "chromium"}
WORK = TARGET / "conformance"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    parser.add_argument("--only", default="tiff,server,tiles")
    options = parser.parse_args()
    only = options.only.split(",")
    tools.install_missing({name: package for name, package in PACKAGES.items() if name != "chromium" or "tiles" in only})
    if "server" in only and not Path("/usr/lib/iipimage-server/iipsrv.fcgi").exists():
        tools.install_missing({"iipsrv.fcgi": "iipimage-server"})
    python = tools.install_python(WORK / "venv-pyramids", HERE / "requirements.txt")
    if python is None:
        sys.exit("pyramids: what reads them could not be installed")
    failed = []
    with tempfile.TemporaryDirectory(prefix="imgmill-pyramids-") as work:
        for part in only:
            command = [python, HERE / f"check_{part}.py", options.imgmill.absolute(), options.samples.absolute(), work]
            environment = {**os.environ, "NODE_FOLDER": str(WORK / "node"), "PYTHONDONTWRITEBYTECODE": "1"}
            if subprocess.run([str(word) for word in command], env=environment, check=False).returncode != 0:
                failed.append(part)
    print("FAILED: " + ", ".join(failed) if failed else "all of it as it should be")
    return 1 if failed else 0


def pyramid(imgmill, source, folder, **options):
    """The path of a pyramid of one image, made by `imgmill run`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps({"p": {"format": "ptif", **options}}))
    (folder / "input.csv").write_text(f"url\n{source}\n")
    command = [imgmill, "run", "--input", "input.csv", "--output", "output.csv", "--recipe", "recipe.json", "--discard"]
    command += ["--store", f"file://{folder}", "--key", "{stem}.{ext}", "--quiet", "--refresh", "--max-bytes", "4GiB"]
    subprocess.run([str(word) for word in command], cwd=folder, check=True)
    return folder / f"{Path(source).stem}.tif"


def drawn(samples, folder, width, height):
    """A JPEG drawn by code."""
    target = folder / f"drawn-{width}x{height}"
    if not (target / "photo_000001.jpg").exists():
        sizes = ["--count", "1", "--width", str(width), "--height", str(height)]
        subprocess.run([samples, "write", target, *sizes], check=True, stdout=subprocess.DEVNULL)
    return target / "photo_000001.jpg"


class Checks:
    """What was found, a line each."""

    def __init__(self, name):
        self.name = name
        self.count = 0
        self.faults = []

    def that(self, is_so, what):
        self.count += 1
        if not is_so:
            self.faults.append(what)
            print(f"  {self.name}: NOT {what}")

    def end(self):
        print(f"{self.name}: {self.count - len(self.faults)} of {self.count} checks")
        sys.exit(1 if self.faults else 0)


if __name__ == "__main__":
    sys.exit(main())
