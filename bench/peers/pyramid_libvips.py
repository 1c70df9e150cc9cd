"""libvips' pyramids, a process each as imgmill's are: pyramid_libvips.py SOURCE OUTPUT deflate|jpeg|iiif3"""

import sys

import pyvips

source, output, kind = sys.argv[1:]
image = pyvips.Image.new_from_file(source, access="sequential")
match kind:
    case "deflate":
        tiles = {"compression": "deflate", "predictor": "horizontal"}
    case "jpeg":
        tiles = {"compression": "jpeg", "Q": 85}
if kind == "iiif3":
    image.dzsave(output, layout="iiif3", tile_size=512, suffix=".jpg[Q=85]")
else:
    image.tiffsave(output, tile=True, tile_width=512, tile_height=512, pyramid=True, **tiles)
