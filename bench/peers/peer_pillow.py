"""Pillow as a peer: `thumbnail`, which decodes a JPEG at a reduced scale and resizes with Lanczos."""

import io

import worker
from PIL import Image

NAMES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def make(data, request):
    return [thumbnail(data, size, request) for size in request["sizes"]]


def thumbnail(data, size, request):
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        output = io.BytesIO()
        options = {} if request["format"] == "png" else {"quality": request["quality"]}
        image.save(output, NAMES[request["format"]], **options)
    return output.getvalue()


worker.serve(make)
