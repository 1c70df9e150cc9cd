"""The page of `imgmill view` in headless Chromium: pyramids of both kinds, IIIF and Deep Zoom tiles are drawn as they are
and zoom to their own pixels; a broken pyramid shows its error; originals stand beside what was made of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pyvips

from view import Checks, Served, browse, drawn, pyramid

SIZE = (3100, 2300)


def main():
    imgmill, samples, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    checks = Checks("viewer")
    source = drawn(samples, work, *SIZE)
    store = fill(imgmill, source, work)
    with Served(imgmill, store, "--originals", source.parent) as served:
        for shown in ("pyramid=deflate.tif", "pyramid=jpeg.tif", "tiles=iiif3/photo_000001", "zoom=dzi/photo_000001.dzi"):
            see(checks, served, shown, source, work)
        told = browse(checks, "viewer.mjs", f"http://{served.address}/", work / "set.png", "set")
        if told:
            checks.that(told["drawn"] == told["figures"] == 3, f"the original stands beside two renditions: {told}")
    with Served(imgmill, work / "broken") as served:
        for shown, says in (("pyramid=broken.tif", "ends before"), ("pyramid=damaged.tif", "TIFF")):
            told = browse(checks, "viewer.mjs", f"http://{served.address}/#{shown}", work / "broken.png", "error")
            checks.that(told and says in told["error"], f"{shown} shows its error: {told}")
    checks.end()


def fill(imgmill, source, work):
    store = work / "store"
    for packing in ("deflate", "jpeg"):
        shutil.move(pyramid(imgmill, source, store, compression=packing), store / f"{packing}.tif")
    whole = (store / "deflate.tif").read_bytes()
    (work / "broken").mkdir()
    (work / "broken" / "broken.tif").write_bytes(whole[: len(whole) // 2])
    # All directories are there, and no tile of the larger levels.
    damaged = bytearray(whole)
    damaged[1000 : len(whole) // 2] = bytes(len(whole) // 2 - 1000)
    (work / "broken" / "damaged.tif").write_bytes(damaged)
    shutil.rmtree(store / ".imgmill")
    for layout in ("iiif3", "dzi"):
        command = [imgmill, "tile", source, "--output", store / layout, "--layout", layout, "--quiet"]
        subprocess.run([str(word) for word in [*command, "--base", "https://example.org/iiif"]], check=True)
    command = [imgmill, "run", "--input", "input.csv", "--output", "made.csv", "--discard", "--quiet", "--store", store]
    for label, size in (("small", "90,"), ("large", "900,")):
        command += ["--derive", f"{label}=full/{size}/0/default.jpg"]
    subprocess.run([str(w) for w in [*command, "--key", "{stem}_{label}.{ext}"]], cwd=store, check=True)
    return store


def see(checks, served, shown, source, work):
    # A name of its own: libvips remembers files by theirs.
    picture = work / f"{shown.partition('=')[0]}-{Path(shown).stem}.png"
    told = browse(checks, "viewer.mjs", f"http://{served.address}/#{shown}", picture, "image")
    if told is None:
        return
    checks.that(told["failed"] == [], f"{shown}: nothing fails: {told['failed']}")
    checks.that(told["closest"] == 0, f"{shown}: it zooms to level 0: {told}")
    seen = pyvips.Image.new_from_file(str(picture)).extract_band(0, n=3).numpy().astype("float64")
    x, y, width, height = (round(told["at"][side]) for side in ("x", "y", "width", "height"))
    wanted = pyvips.Image.thumbnail(str(source), width, height=height, size="force").numpy().astype("float64")
    seen = seen[y : y + height, x : x + width]
    # The map in the corner is over the picture.
    apart = numpy.abs(seen[height // 3 :] - wanted[height // 3 :, :, :3]).mean()
    checks.that(apart < 6, f"{shown}: the viewer shows the image (on average {apart:.1f} off)")


main()
