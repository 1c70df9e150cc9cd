#!/usr/bin/env python3
"""Has other people's programs look at what imgmill shows: the IIIF validator at `imgmill view`, Chromium at its page.
Installs what is missing (Debian, PyPI, npm).

    conformance/view/view.py [--imgmill PATH] [--samples PATH] [--only validator,viewer,manifests,sheet]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Before the one of `bench`, which has a file of the same name.
sys.path.insert(1, str(HERE.parent / "pyramids"))

from pyramids import Checks, drawn, pyramid, tools  # noqa: E402, F401 — the parts take them from here

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
WORK = TARGET / "conformance"
PARTS = "validator,viewer,manifests,sheet"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    parser.add_argument("--only", default=PARTS)
    options = parser.parse_args()
    tools.install_missing({"chromium": "chromium"})
    python = tools.install_python(WORK / "venv-view", HERE / "requirements.txt")
    if python is None:
        sys.exit("view: what looks at it could not be installed")
    failed = []
    for part in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="imgmill-view-") as work:
            command = [python, HERE / f"check_{part}.py", options.imgmill.absolute(), options.samples.absolute(), work]
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            if subprocess.run([str(word) for word in command], env=environment, check=False).returncode != 0:
                failed.append(part)
    print("FAILED: " + ", ".join(failed) if failed else "all of it as it should be")
    return 1 if failed else 0


class Served:
    """`imgmill view` on a folder while a block is worked on."""

    def __init__(self, imgmill, store, *arguments):
        self.command = [imgmill, "view", store, "--listen", "127.0.0.1:0", *arguments]

    def __enter__(self):
        command = [str(word) for word in self.command]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if "http://" not in line:
            sys.exit(f"view: it does not start: {line}")
        self.address = line.split("http://")[1].strip().rstrip("/")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def json(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}") as answer:
            return json.load(answer)


def browse(checks, script, *arguments):
    """What a script for the browser found: JSON of its last line; None where it failed."""
    driver = tools.install_node(WORK / "node" / "driver", "playwright-core@1.65.1")
    browser = tools.find("chromium")
    if None in (driver, browser):
        checks.that(False, "a browser and its driver are there")
        return None
    command = ["node", HERE / script, driver, browser, *arguments]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        checks.that(False, f"{script} comes to its end: {done.stdout}{done.stderr}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
