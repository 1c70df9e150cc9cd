"""The IIIF validator finds nothing wrong with `imgmill view` at level 2, by 3.0 and by 2.0, of lossless and JPEG tiles."""

import subprocess
import sys
from pathlib import Path

import numpy
import pyvips
from iiif_validator.validator import ValidationInfo

from view import Checks, Served, pyramid

# The image that the validator knows, by its name.
REFERENCE = "67352ccc-d1b0-11e1-89ae-279075081939"
SIDE = 100
# Beyond level 2: what `info.json` promises besides. Not size_up: it has ^max be the full size, where maxArea allows more.
MORE = ["linkheader_canonical", "linkheader_profile", "rot_mirror", "rot_mirror_180", "rot_full_non90",
        "rot_region_non90", "format_gif", "format_tif"]


def main():
    imgmill, work = sys.argv[1], Path(sys.argv[3])
    checks = Checks("validator")
    colours = numpy.array(ValidationInfo().colorInfo, dtype="uint8").transpose(1, 0, 2)
    squares = numpy.repeat(numpy.repeat(colours, SIDE, axis=0), SIDE, axis=1)
    source = work / f"{REFERENCE}.png"
    pyvips.Image.new_from_array(squares).copy(interpretation="srgb").pngsave(str(source))
    for packing in ("deflate", "jpeg"):
        store = work / packing
        pyramid(imgmill, source, store, compression=packing, tile=256)
        with Served(imgmill, store) as served:
            for name, version in (("3", "3.0"), ("2", "2.0")):
                validate(checks, served, name, version, packing, "--level=2")
                for test in MORE if packing == "deflate" else []:
                    validate(checks, served, name, version, test, f"--test={test}")
    checks.end()


def validate(checks, served, name, version, what, asked):
    validator = Path(sys.executable).with_name("iiif-validate.py")
    command = [sys.executable, validator, "-s", served.address, "-p", f"iiif/{name}", "-i", REFERENCE]
    done = subprocess.run(
        [*command, f"--version={version}", asked, "-v"], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    if asked != "--level=2" and "Done (0 tests" in said:
        # It is of another edition.
        return
    checks.that("0 failures" in said and "Done (0" not in said, f"{version}, {what}: the validator is content:\n{said}")


main()
