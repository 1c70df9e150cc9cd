"""The design that `imgmill bucket drain` replaces, as its document describes it: read all records, download each image to
disk, make its pyramid with pyvips, upload it, remove the record; on threads.

usage: bucket_pyvips.py ENDPOINT RBSC_BUCKET PROCESS_BUCKET IMAGE_BUCKET MAX_THREADS WORK_DIR"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
import pyvips
from botocore.config import Config

LARGEST = 4000


def main():
    endpoint, sources, records, images, threads, work = sys.argv[1:]
    config = Config(
        max_pool_connections=2 * int(threads),
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    s3 = boto3.client("s3", endpoint_url=endpoint, config=config)
    waiting = [
        found["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=records, Prefix="rbsc/")
        for found in page.get("Contents", [])
    ]

    def make(record):
        key = json.loads(s3.get_object(Bucket=records, Key=record)["Body"].read())["key"]
        stem, extension = os.path.splitext(key)
        name = os.path.join(work, record.replace("/", "_"))
        s3.download_file(sources, key, name + extension)
        # Shrinks while it reads where the format can: the fastest way that pyvips has.
        image = pyvips.Image.thumbnail(name + extension, LARGEST, height=LARGEST, size="down")
        image.tiffsave(
            name + "-pyramid.tif",
            tile=True,
            pyramid=True,
            compression="deflate",
            tile_width=512,
            tile_height=512,
            xres=11.812,
            yres=11.812,
        )
        s3.upload_file(name + "-pyramid.tif", images, stem + ".tif")
        s3.delete_object(Bucket=records, Key=record)
        os.remove(name + extension)
        os.remove(name + "-pyramid.tif")

    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(make, waiting))


main()
