#!/usr/bin/env python3
"""Makes derivatives of every file below some folders in threads and in derive processes: whatever comes of a file,
renditions or an error, has to be the same. Ends with 1 where it is not.

    conformance/isolation.py FOLDER... [--imgmill PATH] [--memory SIZE] [--job-timeout SECONDS]
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parent.parent / "target"))
RECIPE = {
    "gray": {"quality": "gray"},
    "small": {"size": "!250,250"},
    "crop": {"region": "square", "size": "^90,", "rotation": "90", "format": "png"},
}
# What may differ: an image that fails, in a process, as one that ended it. In a thread it would have ended the program.
FIELDS = ("status", "stage", "kind", "message", "width", "height", "truncated")


def main():
    options = arguments()
    files = sorted(path for folder in options.folders for path in folder.rglob("*") if path.is_file())
    if not files:
        sys.exit("isolation: no files there")
    with tempfile.TemporaryDirectory(prefix="imgmill-isolation-") as work:
        here, there = (run(options, Path(work) / how, files, how) for how in ("none", "process"))
    differing = [file for file in files if here[file] != there[file]]
    for file in differing:
        print(f"{file}:\n  none:    {here[file]}\n  process: {there[file]}")
    ends = Counter(end["kind"] if end["status"] == "failed" else end["status"] for end in there.values())
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    print(f"{len(files)} files, {len(differing)} that differ; in processes: {told}")
    return 1 if differing else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--memory", default="4GiB")
    parser.add_argument("--job-timeout", default="60")
    return parser.parse_args()


def run(options, home, files, isolate):
    """What came of each file: what the report says of it, and a hash of each rendition."""
    home.mkdir()
    # Under names that stand in a list as they are.
    for number, file in enumerate(files):
        (home / str(number)).symlink_to(file.absolute())
    (home / "input.csv").write_text("url\n" + "".join(f"{home / str(number)}\n" for number in range(len(files))))
    (home / "recipe.json").write_text(json.dumps(RECIPE))
    command = [options.imgmill.absolute(), "run", "--input", "input.csv", "--output", "output.csv", "--discard"]
    command += ["--report", "report.jsonl", "--store", "store", "--work-dir", "work", "--recipe", "recipe.json"]
    # A key of its own for every file, so that the same bytes under two names are made twice.
    command += ["--key", "{row}-{label}.{ext}", "--max-bytes", "1GiB", "--quiet", "--isolate", isolate]
    command += ["--memory", options.memory, "--job-timeout", options.job_timeout]
    ended = subprocess.run(command, cwd=home, capture_output=True, text=True)
    if ended.returncode not in (0, 3):
        sys.exit(f"isolation: imgmill --isolate {isolate} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    ends = {}
    for line in (home / "report.jsonl").read_text().splitlines():
        row = json.loads(line)
        end = {field: row.get(field) for field in FIELDS}
        stored = sorted((home / "store").glob(f"{row['row']}-*"))
        end["renditions"] = {
            file.name.split("-", 1)[1]: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in stored
        }
        ends[files[int(Path(row["url"]).name)]] = end
    return ends


if __name__ == "__main__":
    sys.exit(main())
