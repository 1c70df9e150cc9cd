#!/usr/bin/env python3
"""Measures `imgmill view`: the first tile of a large pyramid from disk, and tiles under wrk beside Debian's iipimage-server
behind nginx, on the same pyramids. Installs what is missing (apt: iipimage-server, nginx-light, wrk).

    bench/view.py [--imgmill PATH] [--samples PATH] [--work FOLDER] [--prepare] [--rounds N] [--seconds N]

The pyramids are made once, with --prepare alone and nothing measured; they take 800 MB.
"""

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tools

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parent.parent / "target"))
IIPSRV = Path("/usr/lib/iipimage-server/iipsrv.fcgi")
LARGE = (30000, 23400)
PAGE = (9810, 8010)
PYRAMIDS = {
    # name: source, recipe, side of a request's tile
    "large-jpeg-256": ("large", {"tile": 256, "compression": "jpeg", "q": 85}, 256),
    "page-deflate-512": ("page", {"tile": 512}, 256),
    "page-jpeg-512": ("page", {"tile": 512, "compression": "jpeg", "q": 85}, 256),
}
CONNECTIONS = 8
PROCESSES = 2

WRK = """
local paths = {}
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
math.randomseed(7)
request = function() return wrk.format("GET", paths[math.random(#paths)]) end
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgmill", type=Path, default=TARGET / "release" / "imgmill")
    parser.add_argument("--samples", type=Path, default=TARGET / "release" / "imgmill-samples")
    parser.add_argument("--work", type=Path, default=TARGET / "bench-view")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    tools.install_missing({"nginx": "nginx-light", "wrk": "wrk"})
    if not IIPSRV.exists():
        tools.install_missing({"iipsrv.fcgi": "iipimage-server"})
    prepare(options)
    if options.prepare:
        return
    first_tile(options)
    print("| Pyramid | Asked for | imgmill | iipimage-server | Ratio |")
    print("|---|---|---|---|---|")
    for name in PYRAMIDS:
        compare(options, name)


def prepare(options):
    for source, (width, height) in (("large", LARGE), ("page", PAGE)):
        wanted = [name for name, (of, _, _) in PYRAMIDS.items() if of == source]
        if all((options.work / f"{name}.tif").exists() for name in wanted):
            continue
        drawn = options.work / f"{source}.jpg"
        if not drawn.exists():
            sizes = ["--width", str(width), "--height", str(height)]
            run([options.samples, "wall", drawn, *sizes])
        for name in wanted:
            (options.work / "recipe.json").write_text(json.dumps({"p": {"format": "ptif", **PYRAMIDS[name][1]}}))
            (options.work / "input.csv").write_text(f"url\n{drawn}\n")
            command = [options.imgmill, "run", "--input", "input.csv", "--output", "output.csv", "--discard", "--quiet"]
            command += ["--recipe", "recipe.json", "--store", f"file://{options.work}", "--key", f"{name}-{{stem}}.{{ext}}"]
            run([*command, "--max-pixels", "1G", "--max-bytes", "1GiB"], cwd=options.work)
            (options.work / f"{name}-{source}.tif").rename(options.work / f"{name}.tif")
        drawn.unlink()


def run(command, **more):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, **more)


class View:
    """`imgmill view` while a block is worked on."""

    def __init__(self, options, *more):
        command = [options.imgmill, "view", options.work, "--listen", "127.0.0.1:0", "--log-level", "error", *more]
        self.command = [str(word) for word in command]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stderr.readline().strip().rstrip("/").rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    @staticmethod
    def path(name, region, side):
        return f"/iiif/3/{name}/{region}/{side},/0/default.jpg"


class Iip:
    """iipimage-server, a process a core, behind nginx."""

    def __init__(self, options):
        self.options = options

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="imgmill-iip-")
        work = Path(self.folder.name)
        environment = {**os.environ, "JPEG_QUALITY": "85", "MAX_IMAGE_CACHE_SIZE": "64", "VERBOSITY": "0"}
        environment |= {"LOGFILE": str(work / "iip.log"), "MAX_CVT": "30000", "IIIF_VERSION": "3"}
        ports = [free_port() for _ in range(PROCESSES)]
        self.port = free_port()
        self.processes = [
            subprocess.Popen([IIPSRV, "--bind", f"127.0.0.1:{port}", "--backlog", "1024"], env=environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for port in ports
        ]
        servers = "".join(f"server 127.0.0.1:{port};" for port in ports)
        (work / "nginx.conf").write_text(
            f"worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log; daemon off;"
            "events { worker_connections 512; }"
            f"http {{ access_log off; client_body_temp_path {work}/a; proxy_temp_path {work}/b; fastcgi_temp_path {work}/c;"
            f"uwsgi_temp_path {work}/d; scgi_temp_path {work}/e; upstream iip {{ {servers} }}"
            f"server {{ listen 127.0.0.1:{self.port}; location /iip {{ fastcgi_pass iip;"
            "fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;"
            "fastcgi_param SERVER_PROTOCOL $server_protocol; fastcgi_param REQUEST_URI $request_uri; } } }"
        )
        self.processes.append(subprocess.Popen(["nginx", "-c", work / "nginx.conf", "-e", work / "error.log"]))
        for port in [*ports, self.port]:
            wait_for(port)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        self.folder.cleanup()

    def path(self, name, region, side):
        return f"/iip?IIIF={self.options.work.absolute()}/{name}.tif/{region}/{side},/0/default.jpg"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens at {port}")


def first_tile(options):
    """From a server that has just started and a file that is on disk alone, over a connection that stands."""
    name = "large-jpeg-256"
    file = options.work / f"{name}.tif"
    for what, forget in (("on disk alone", True), ("in the system's cache", False)):
        took = []
        for number in range(21):
            with View(options) as view:
                connection = http.client.HTTPConnection("127.0.0.1", view.port)
                connection.request("GET", "/view.css")
                connection.getresponse().read()
                if forget:
                    with open(file, "rb") as opened:
                        os.fsync(opened.fileno())
                        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                x, y = 256 * (7 * number % 100), 256 * (11 * number % 80)
                start = time.perf_counter()
                connection.request("GET", View.path(name, f"{x},{y},256,256", 256))
                answer = connection.getresponse()
                body = answer.read()
                took.append(1000 * (time.perf_counter() - start))
                if answer.status != 200 or not body.startswith(b"\xff\xd8"):
                    sys.exit(f"the first tile is none: {answer.status}")
        print(f"first tile of 700 megapixels, {what}: median {statistics.median(took):.2f} ms, most {max(took):.2f} ms")


def requests(name, server, count=4000):
    """Tiles anywhere, of the larger levels as often as they have tiles."""
    source, _, side = PYRAMIDS[name]
    width, height = LARGE if source == "large" else PAGE
    chosen = random.Random(3)
    paths = []
    for _ in range(count):
        factor = chosen.choices([1, 2, 4, 8], [64, 16, 4, 1])[0]
        step = side * factor
        x, y = step * chosen.randrange(width // step), step * chosen.randrange(height // step)
        paths.append(server.path(name, f"{x},{y},{step},{step}", side))
    return paths


def compare(options, name):
    found = {"imgmill": [], "iip": []}
    for _ in range(options.rounds):
        for who, server in (("imgmill", View(options)), ("iip", Iip(options))):
            with server:
                found[who].append(load(options, server, name))
    ours, theirs = (statistics.median(found[who]) for who in ("imgmill", "iip"))
    _, recipe, side = PYRAMIDS[name]
    packing = f"{recipe.get('compression', 'deflate')}, tiles of {recipe['tile']}"
    asked = "tiles as they are stored" if recipe["tile"] == side and "compression" in recipe else f"{side} of {recipe['tile']} px"
    print(f"| {name.split('-')[0]}: {packing} | {asked} | {ours:.0f}/s | {theirs:.0f}/s | {ours / theirs:.1f}× |")


def load(options, server, name):
    with tempfile.TemporaryDirectory() as folder:
        paths, script = Path(folder) / "paths", Path(folder) / "wrk.lua"
        paths.write_text("\n".join(requests(name, server)) + "\n")
        script.write_text(WRK)
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{options.seconds}s", "-s", script, f"http://127.0.0.1:{server.port}"]
        done = subprocess.run([str(word) for word in command], env={**os.environ, "PATHS": str(paths)},
                              capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Requests/sec" not in done.stdout:
        sys.exit(f"wrk: {done.stdout}{done.stderr}")
    return float(done.stdout.split("Requests/sec:")[1].split()[0])


main()
