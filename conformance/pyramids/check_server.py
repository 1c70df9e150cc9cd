"""Debian's iipimage-server serves our pyramids by the IIIF Image API: sizes and pixels are right."""

import json
import math
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pyvips

from pyramids import Checks, drawn, pyramid

SERVER = "/usr/lib/iipimage-server/iipsrv.fcgi"
SIZE = (1700, 1300)


def main():
    imgmill, samples, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    checks = Checks("server")
    source = drawn(samples, work, *SIZE)
    original = pyvips.Image.new_from_file(str(source))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = open(work / "iipsrv.txt", "w")
    server = subprocess.Popen([SERVER, "--bind", f"127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        wait_for(port)
        for packing in ("deflate", "jpeg", "lzw", "none"):
            path = pyramid(imgmill, source, work / "server", compression=packing)
            served = path.with_name(f"{packing}.tif")
            shutil.move(path, served)
            check(checks, packing, port, served, original)
    finally:
        server.terminate()
    checks.end()


def check(checks, packing, port, path, original):
    info = json.loads(ask(port, f"IIIF={path}/info.json"))
    checks.that((info["width"], info["height"]) == SIZE, f"{packing}: info.json has the size")
    sizes = {(size["width"], size["height"]) for size in info.get("sizes", [])}
    checks.that((850, 650) in sizes, f"{packing}: info.json has the levels: {sizes}")
    for region, size, shrink in (("full", "425,", 4), ("0,0,512,512", "512,", 1), ("1024,1024,676,276", "338,", 2)):
        body = ask(port, f"IIIF={path}/{region}/{size}/0/default.jpg")
        image = pyvips.Image.new_from_buffer(body, "")
        x, y, w, h = (0, 0, *SIZE) if region == "full" else map(int, region.split(","))
        wanted = original.crop(x, y, w, h).shrink(shrink, shrink)
        width, height = min(image.width, wanted.width), min(image.height, wanted.height)
        checks.that(abs(image.height - h / shrink) <= 1, f"{packing}: {region}/{size} has the right height")
        both = [part.crop(0, 0, width, height).numpy().astype("float64") for part in (image, wanted)]
        error = numpy.mean((both[0] - both[1]) ** 2)
        checks.that(10 * math.log10(255**2 / max(error, 1e-9)) > 28, f"{packing}: {region}/{size} shows its part")


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("server: it does not listen")


def ask(port, query):
    """The body of an answer, by FastCGI 1.0: a request's parameters in, its output out."""
    parameters = {"REQUEST_METHOD": "GET", "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1"}
    parameters["REQUEST_URI"] = f"/iipsrv?{query}"
    pairs = b""
    for name, value in parameters.items():
        pairs += b"".join(struct.pack(">I", len(part) | 0x80000000) for part in (name, value))
        pairs += (name + value).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for kind, content in ((1, struct.pack(">HB5x", 1, 0)), (4, pairs), (4, b""), (5, b"")):
            connection.sendall(struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content)
        stream, output = connection.makefile("rb"), b""
        while len(header := stream.read(8)) == 8:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", header)
            content = stream.read(length + padding)[:length]
            if kind == 6:
                output += content
            elif kind == 3:
                break
    head, _, body = output.partition(b"\r\n\r\n")
    if b"Status:" in head:
        sys.exit(f"server: {query}: {head.decode()} {body.decode(errors='replace')}")
    return body


main()
