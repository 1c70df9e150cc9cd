#!/usr/bin/env python3
"""Compares imgmill with libvips and ImageMagick on every image of a folder: are dimensions equal, how far are the
pixels apart, and do all refuse the same files? README.md beside this file says what passes.

    conformance/conformance.py [FOLDER] [--derive PROGRAM] [--only NAME,NAME] [--seconds N]
"""

import argparse
import json
import math
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# For finding and installing tools, which the comparison does too. Behind this folder, whose modules share names.
sys.path.append(str(HERE.parent / "bench"))

import engine  # noqa: E402
import fixtures  # noqa: E402
import icc  # noqa: E402
import oracles  # noqa: E402
import pixels  # noqa: E402
import tools  # noqa: E402
from recipes import RECIPES, bar  # noqa: E402

PACKAGES = {"convert": "imagemagick", "vips": "libvips-tools", "vipsheader": "libvips-tools"}
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
POLICY = ("TooManyPixels", "Truncated", "Corrupt")


@dataclass
class Verdict:
    """What is said of one image."""

    name: str
    state: str  # ok, policy, both refuse, FAIL, expected
    nature: str = ""
    figures: list = field(default_factory=list)
    faults: dict = field(default_factory=dict)  # recipe name to sentence
    remarks: list = field(default_factory=list)


def main():
    options = arguments()
    tools.install_missing(PACKAGES)
    found = {name: tools.find(name) for name in PACKAGES}
    if None in found.values():
        sys.exit(f"conformance: not found: {', '.join(n for n, p in found.items() if p is None)}")
    folder = options.folder or fixtures.draw(options.samples, found["convert"], TARGET / "conformance")
    images = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if options.only:
        images = [image for image in images if image.name.startswith(tuple(options.only.split(",")))]
    if not images:
        sys.exit(f"conformance: no images in {folder}")
    expected = json.loads((HERE / "expected.json").read_text())
    with tempfile.TemporaryDirectory(prefix="imgmill-conformance-") as work:
        judge = Judge(options, found, Path(work))
        verdicts = []
        for image in images:
            verdict = judge.judge(image)
            explain(verdict, expected)
            verdicts.append(verdict)
            show(verdict)
    return summary(verdicts)


def arguments():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("folder", type=Path, nargs="?", help="images; drawn by code when left out")
    derive = TARGET / "release" / "examples" / "derive"
    parser.add_argument("--derive", type=Path, default=derive, help="the engine's example under test")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    parser.add_argument("--only", default="", help="only images whose names begin so, comma-separated")
    parser.add_argument("--seconds", type=float, default=30, help="most that one process may take")
    options = parser.parse_args()
    if options.folder and not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    if not options.derive.exists():
        parser.error(f"{options.derive} is not there: cargo build --release -p imgmill-image --example derive")
    return options


class Judge:
    """Puts images through all recipes and compares."""

    def __init__(self, options, found, work):
        self.engine = engine.Engine(options.derive.absolute(), options.seconds, work)
        self.vips = oracles.Vips(found["vips"], found["vipsheader"], options.seconds, work)
        srgb = oracles.srgb_profile(found["vips"], found["convert"], work)
        self.magick = oracles.Magick(found["convert"], options.seconds, work, srgb)

    def judge(self, image):
        image = image.absolute()
        nature = self.vips.nature(image) or self.magick.nature(image)
        decoded, refusals = self.decode_by_oracles(image)
        made = self.engine.make(image, RECIPES[0])
        about = f"{nature.width}×{nature.height} {nature.model}" if nature else "unknown"
        verdict = Verdict(image.name, "ok", about)
        verdict.remarks += [f"{oracle.name}: {why}" for oracle, why in refusals.items()]
        if made.file is None:
            self.judge_refusal(verdict, image, made, decoded, nature)
        elif not decoded:
            verdict.faults["decode"] = "imgmill accepts what both refuse"
        else:
            managed = nature is not None and (nature.is_printed_or_lab or icc.is_wide(nature.profile))
            if managed:
                verdict.nature += " (managed)"
            for recipe in RECIPES:
                self.judge_recipe(verdict, image, recipe, decoded, managed)
        if verdict.faults:
            verdict.state = "FAIL"
        return verdict

    def decode_by_oracles(self, image):
        decoded, refusals = {}, {}
        for oracle in (self.vips, self.magick):
            try:
                decoded[oracle] = oracle.decode(image)
            except oracles.Refused as refused:
                refusals[oracle] = str(refused)
        return decoded, refusals

    def judge_refusal(self, verdict, image, made, decoded, nature):
        said = f"{made.kind}: {made.message}"
        too_large = nature is None or nature.width * nature.height > engine.MOST_PIXELS
        whole = [oracle.name for oracle in decoded if made.kind in POLICY and oracle.is_whole(image)]
        if made.crashed:
            verdict.faults["decode"] = f"imgmill crashed: {made.message}"
        elif made.kind == "TooManyPixels" and too_large:
            verdict.state = "policy"
            verdict.remarks.insert(0, said)
        elif not decoded:
            verdict.state = "both refuse"
            verdict.remarks.insert(0, said)
        elif made.kind in POLICY[1:] and not whole:
            verdict.state = "policy"
            verdict.remarks.insert(0, f"{said} (no oracle reads it without complaint)")
        else:
            readers = ", ".join(oracle.name for oracle in decoded)
            verdict.faults["decode"] = f"imgmill refuses what {readers} can read: {said}"

    def judge_recipe(self, verdict, image, recipe, decoded, managed):
        made = self.engine.make(image, recipe)
        if made.file is None:
            verdict.faults[recipe.name] = f"{made.kind}: {made.message}"
            return
        try:
            ours = self.magick.pixels(made.file)
        except oracles.Refused as refused:
            self.judge_dimensions(verdict, image, made.file, recipe, decoded, refused)
            return
        best, tried = None, []
        for oracle, base in decoded.items():
            try:
                theirs = base if recipe is RECIPES[0] else getattr(oracle, recipe.name)(image, base)
                comparison = self.compare(ours, theirs, base, recipe, bar(recipe, managed))
            except oracles.Refused as refused:
                tried.append(f"{oracle.name}: {refused}")
                continue
            tried.append(f"{oracle.name}: {comparison.sentence}")
            if best is None or comparison.margin > best.margin:
                best = comparison
        if best is None or best.margin < 0:
            verdict.faults[recipe.name] = "; ".join(tried) or "no oracle made it"
        verdict.figures.append((recipe.name, best.decibels if best else math.nan))

    def judge_dimensions(self, verdict, image, file, recipe, decoded, refused):
        """For a picture too large for ImageMagick, by which pixels are read here: its size is all that is compared."""
        sizes = set()
        for oracle, base in decoded.items():
            try:
                theirs = base if recipe is RECIPES[0] else getattr(oracle, recipe.name)(image, base)
                sizes.add(tuple(self.vips.size(theirs)))
            except oracles.Refused:
                continue
        ours = tuple(self.vips.size(file))
        if ours not in sizes:
            verdict.faults[recipe.name] = f"{ours} instead of {sizes or 'what no oracle made'}"
        verdict.remarks.append(f"{recipe.name}: only dimensions compared, ImageMagick: {refused}")
        verdict.figures.append((recipe.name, math.nan))

    def compare(self, ours, file, base, recipe, least):
        if recipe.lossy:
            # Against what went into both encoders: imgmill's may lose at most a decibel more than theirs.
            source = self.magick.pixels(base)[:1]
            theirs = self.magick.pixels(file)[:1]
            if source[0].size == theirs[0].size:
                least = min(least, distance(theirs, source)) - 1
        else:
            source = self.magick.pixels(file)
        if ours[0].size != source[0].size:
            (w, h), (ow, oh) = ours[0].size, source[0].size
            return Comparison(-math.inf, math.nan, f"{w}×{h} instead of {ow}×{oh}")
        decibels = distance(ours, source)
        return Comparison(decibels - least, decibels, f"{decibels:.1f} dB, {least:.1f} are the bar")


@dataclass(frozen=True)
class Comparison:
    """imgmill beside one oracle."""

    margin: float
    decibels: float
    sentence: str


def distance(some, others):
    """PSNR of pictures on white and, where either has alpha, on black: an opaque one is the same on both."""
    pairs = max(len(some), len(others))
    return pixels.psnr(laid_out(some, pairs), laid_out(others, pairs))


def laid_out(pictures, count):
    data = b"".join(picture.data for picture in (pictures * count)[:count])
    return pixels.Pixels(pictures[0].width, pictures[0].height, data)


def explain(verdict, expected):
    """Marks what is listed, with its reason, as a difference that is to be."""
    reasons = {}
    for entry in expected:
        if entry["image"] == verdict.name:
            for recipe in entry["recipes"]:
                if recipe in verdict.faults:
                    reasons[recipe] = entry["reason"]
                else:
                    verdict.remarks.append(f"listed in expected.json, but {recipe} passes: take it out")
    verdict.remarks += [f"{recipe}: expected, {reason}" for recipe, reason in reasons.items()]
    if verdict.faults and reasons.keys() == verdict.faults.keys():
        verdict.state = "expected"


def show(verdict):
    figures = "  ".join(f"{name} {decibels(value)}" for name, value in verdict.figures)
    print(f"{verdict.state:<12}{verdict.name:<44}{verdict.nature:<26}{figures}".rstrip())
    for recipe, sentence in verdict.faults.items():
        print(f"{'':<12}- {recipe}: {sentence}")
    for remark in verdict.remarks:
        print(f"{'':<12}  {remark}")
    sys.stdout.flush()


def decibels(value):
    return {True: "same", False: f"{value:.1f}"}[math.isinf(value)] if not math.isnan(value) else "–"


def summary(verdicts):
    states = Counter(verdict.state for verdict in verdicts)
    print(f"\n{len(verdicts)} images: " + ", ".join(f"{count} {state}" for state, count in states.most_common()))
    print("\n| Recipe | Images | Same | Least | Median | Missed |\n|---|---|---|---|---|---|")
    for recipe in RECIPES:
        values = [value for verdict in verdicts for name, value in verdict.figures if name == recipe.name]
        known = sorted(value for value in values if not math.isnan(value))
        missed = sum(recipe.name in verdict.faults for verdict in verdicts)
        same = sum(map(math.isinf, known))
        least, middle = (decibels(known[0]), decibels(known[len(known) // 2])) if known else ("–", "–")
        print(f"| {recipe.name} | {len(values)} | {same} | {least} | {middle} | {missed} |")
    return 1 if states["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
