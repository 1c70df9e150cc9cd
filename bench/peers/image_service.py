#!/usr/bin/env python3
"""The queue worker as its users have it today, in their stack: one message after another, requests and Pillow, the image decoded
once and cut and scaled thrice, files in the place of a bucket and folders in the place of queues.

    image_service.py QUEUE NEXT STORE
"""

import hashlib
import io
import json
import os
import sys
from pathlib import Path

import requests
from PIL import Image, ImageOps

SIZES = {"50x50": 50, "250X250": 250, "800x800": 800}


def main():
    queue, following, store = map(Path, sys.argv[1:])
    session = requests.Session()
    for name in sorted(name for name in os.listdir(queue) if not name.startswith(".")):
        claimed = queue / f".{name}"
        try:
            # Several of these may work on one folder.
            (queue / name).rename(claimed)
        except FileNotFoundError:
            continue
        message = json.loads(claimed.read_text())
        message["image_url_info"] = resize(session, message, store)
        (following / name).write_text(json.dumps(message))
        claimed.unlink()


def resize(session, message, store):
    answer = session.get(message["image_url"], timeout=30)
    answer.raise_for_status()
    image = Image.open(io.BytesIO(answer.content)).convert("RGB")
    name = hashlib.sha256(answer.content).hexdigest()[:32]
    folder = Path("images-resized") / message["bucket_name"]
    (store / folder).mkdir(parents=True, exist_ok=True)
    info = {}
    for label, side in SIZES.items():
        made = io.BytesIO()
        ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS).save(made, "JPEG", quality=85)
        path = folder / f"{name}_{label}.jpeg"
        (store / path).write_bytes(made.getvalue())
        info[label] = {"url": (store / path).as_uri(), "bucket_path": f"{folder}/"}
    return info


main()
