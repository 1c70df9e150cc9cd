"""The IIIF validator accepts our static tiles at level 0, and OpenSeadragon in headless Chromium draws them."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pyvips
from iiif_validator.validator import ValidationInfo

from pyramids import HERE, Checks, drawn, tools

# The image that the validator knows, by its name.
REFERENCE = "67352ccc-d1b0-11e1-89ae-279075081939"
SIDE = 100
SIZE = (3100, 2300)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main():
    imgmill, samples, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    checks = Checks("tiles")
    web = work / "web"
    web.mkdir()
    serve = functools.partial(Quiet, directory=web)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    validate(checks, imgmill, work, web, address)
    view(checks, imgmill, samples, work, web, address)
    checks.end()


def validate(checks, imgmill, work, web, address):
    colours = numpy.array(ValidationInfo().colorInfo, dtype="uint8").transpose(1, 0, 2)
    squares = numpy.repeat(numpy.repeat(colours, SIDE, axis=0), SIDE, axis=1)
    source = work / f"{REFERENCE}.png"
    pyvips.Image.new_from_array(squares).copy(interpretation="srgb").pngsave(str(source))
    validator = Path(sys.executable).with_name("iiif-validate.py")
    for layout, version in (("iiif3", "3.0"), ("iiif2", "2.0")):
        make(imgmill, source, web, layout, address)
        command = [sys.executable, validator, "-s", address, "-p", layout, "-i", REFERENCE]
        done = subprocess.run(
            [*command, f"--version={version}", "--level=0", "-v"], capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        checks.that("0 failures" in said and "Done (0" not in said, f"{layout}: the validator is content:\n{said}")


def view(checks, imgmill, samples, work, web, address):
    # A folder each: what npm installs into one without saving it, it forgets with the next.
    folder = Path(os.environ["NODE_FOLDER"])
    viewer = tools.install_node(folder / "viewer", "openseadragon@6.1.1")
    node = tools.install_node(folder / "driver", "playwright-core@1.65.1")
    browser = tools.find("chromium")
    if None in (viewer, node, browser):
        checks.that(False, "a browser and its driver are there")
        return
    shutil.copytree(viewer / "node_modules" / "openseadragon" / "build" / "openseadragon", web / "viewer")
    source = drawn(samples, work, *SIZE)
    for layout in ("iiif3", "iiif2", "dzi"):
        make(imgmill, source, web, layout, address)
        described = f"{layout}/{source.stem}.dzi" if layout == "dzi" else f"{layout}/{source.stem}/info.json"
        page = f"http://{address}/{layout}.html"
        (web / f"{layout}.html").write_text(
            '<script src="viewer/openseadragon.min.js"></script>'
            '<body style="margin:0"><div id="viewer" style="width:775px;height:575px"></div><script>'
            f"const viewer = OpenSeadragon({{id: 'viewer', tileSources: '/{described}', showNavigationControl: false,"
            "animationTime: 0, blendTime: 0, visibilityRatio: 1, imageSmoothingEnabled: true});</script>"
        )
        picture = work / f"{layout}.png"
        command = ["node", HERE / "viewer.mjs", node, browser, page, picture]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            checks.that(False, f"{layout}: the viewer draws: {done.stdout}{done.stderr}")
            continue
        told = json.loads(done.stdout)
        checks.that(told["failed"] == [] and told["tiles"] > 1, f"{layout}: every tile is there: {told}")
        seen = pyvips.Image.new_from_file(str(picture)).extract_band(0, n=3).numpy().astype("float64")
        wanted = pyvips.Image.thumbnail(str(source), 775).numpy().astype("float64")
        apart = numpy.abs(seen[: wanted.shape[0], : wanted.shape[1], :3] - wanted).mean()
        checks.that(apart < 6, f"{layout}: the viewer shows the image (on average {apart:.1f} off)")


def make(imgmill, source, web, layout, address):
    command = [imgmill, "tile", source, "--output", web / layout, "--layout", layout, "--quiet"]
    subprocess.run([str(w) for w in [*command, "--base", f"http://{address}/{layout}"]], check=True)


main()
