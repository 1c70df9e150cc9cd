#!/usr/bin/env python3
"""Runs the Makefile's pm2 recipes as an operator would, on a pm2 of its own (PM2_HOME in a temporary folder), and looks at what
they bring about. Queues and stores are folders; MongoDB is SecantusDB, which `make setup-dev` installs.

    scripts/test-pm2.py [--without-collect] [--built]
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
STAND_INS = Path(os.environ.get("AWS_TEST_WORK", ROOT / "bench" / "work" / "aws")).absolute() / "bin"
PATIENCE = 60  # seconds
COLLECTIONS = (
    ("channel", "channels", "ChannelImages"),
    ("episodes", "episodes", "EpisodeImages"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-collect", action="store_true", help="leave out what wants a build with MongoDB")
    parser.add_argument("--built", action="store_true", help="have make build nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), options)
        try:
            consumer(trial)
            if not options.without_collect:
                for collection in COLLECTIONS:
                    collecting(trial, *collection)
        finally:
            trial.end()
    print("the recipes do what they say")


class Trial:
    """A pm2, a web server with images that hears postbacks, and a queue, all of this trial alone."""

    def __init__(self, folder, options):
        self.make_command = ["make", *(["-o", "build", "-o", "collector"] if options.built else [])]
        self.folder = folder
        self.queue = folder / "queue"
        self.queue.mkdir()
        self.servers = []
        self.images, self.heard = free_port(), folder / "heard.txt"
        serve = [TARGET / "release" / "imgmill-samples", "serve", "--list", "list.csv", "--port", str(self.images)]
        with open(self.heard, "wb") as heard:
            self.servers.append(subprocess.Popen(serve, cwd=folder, stdin=subprocess.DEVNULL, stdout=heard))
        wait_until("the images are not served", lambda: self.heard.read_text())
        self.environment = os.environ | {
            "PM2_HOME": str(folder / "pm2"),
            # One build for all recipes; a difference in features would be a build each time.
            "FEATURES": "" if options.without_collect else "mongodb",
            "QUEUE_URL": f"dir:{self.queue}",
            "WORKER_FLAGS": f"-w 1 --store {folder}/images --allow-host 127.0.0.1:{self.images} --wait 0.2",
        }

    def make(self, recipe, **variables):
        print(f"+ make {recipe}", flush=True)
        ran = subprocess.run(
            [*self.make_command, recipe], cwd=ROOT, env=self.environment | variables, capture_output=True, text=True
        )
        if ran.returncode != 0:
            raise SystemExit(f"make {recipe} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")

    def pm2(self, *words):
        command = [ROOT / "scripts" / "pm2.sh", *words]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def listed(self, name):
        """What pm2 knows of a name; None where it knows nothing."""
        # Whatever else pm2 prints stands on lines before it.
        apps = json.loads(self.pm2("jlist", "--silent").strip().splitlines()[-1])
        return next((app for app in apps if app["name"] == name), None)

    def send(self, title):
        images = [line for line in (self.folder / "list.csv").read_text().split()[1:] if line.endswith("jpg")]
        message = {"image_url": images[0], "postback_url": f"http://127.0.0.1:{self.images}/postback", "title": title}
        send = [TARGET / "release" / "imgmill", "send", json.dumps(message)]
        subprocess.run(send, env=self.environment, check=True, capture_output=True)

    def heard_of(self, title):
        """The postback about a message, once it has come."""
        bodies = lambda: [json.loads(line) for line in self.heard.read_text().splitlines() if line.startswith("{")]
        found = lambda: [body for body in bodies() if body.get("title") == title]
        wait_until(f"no postback of {title}", found)
        return found()[0]

    def end(self):
        self.pm2("kill")
        for server in self.servers:
            server.terminate()
            server.wait()


def consumer(trial):
    trial.make("pm2-image-consumer", POSTBACK_SECRET_KEY="first")
    trial.send("one")
    body = trial.heard_of("one")
    check(body["postback_secret_key"] == "first", "the worker has the environment that make was called with")
    check(set(body["image_url_info"]) == {"50x50", "250X250", "800x800"}, "three sizes")
    before = trial.listed("image-consumer")
    trial.make("pm2-restart-image-consumer", POSTBACK_SECRET_KEY="second")
    trial.send("two")
    check(trial.heard_of("two")["postback_secret_key"] == "second", "a restart brings the environment of now")
    after = trial.listed("image-consumer")
    check(after["pid"] != before["pid"] and not running(before["pid"]), "the old process ended")
    trial.make("pm2-delete-image-consumer")
    check(trial.listed("image-consumer") is None and not running(after["pid"]), "nothing is left of it")


def collecting(trial, singular, collection, redirect_queue):
    name = f"resize-image-from-{singular}"
    port = free_port()
    serve = [STAND_INS / "secantusd-py", "--host", "127.0.0.1", "--port", str(port), "--storage-path", ":memory:"]
    log = open(trial.folder / f"{collection}.log", "wb")
    trial.servers.append(subprocess.Popen(serve, stdout=log, stderr=log))
    wait_until("SecantusDB does not start", lambda: answers(port))
    url = f"mongodb://127.0.0.1:{port}/images"
    fill = (
        "import sys, pymongo; pymongo.MongoClient(sys.argv[1]).get_default_database()[sys.argv[2]]"
        ".insert_many([{'image_url': 'http://example.org/%d.jpg' % n} for n in range(3)])"
    )
    subprocess.run([STAND_INS / "python", "-c", fill, url, collection], check=True)
    # The recipe is for production, unless the environment says otherwise.
    trial.make(f"pm2-script-resize-images-from-{singular}", MONGO_URL_PRODUCTION=url)
    messages = lambda: [json.loads(path.read_text()) for path in trial.queue.glob("*.json")]
    wait_until(f"no messages about {collection}", lambda: len(messages()) == 3)
    check({message["redirect_queue"] for message in messages()} == {redirect_queue}, f"they go to {redirect_queue}")
    listed = trial.listed(name)["pm2_env"]
    check(listed["cron_restart"] == "0 1 * * *", "daily at 1:00")
    check(listed["autorestart"] is False, "and not again before")
    trial.make(f"pm2-delete-script-resize-images-from-{singular}")
    check(trial.listed(name) is None, "nothing is left of it")
    for path in trial.queue.glob("*.json"):
        path.unlink()


def check(is_so, what):
    if not is_so:
        raise SystemExit(f"FAILED: {what}")
    print(f"  {what}", flush=True)


def wait_until(what, is_so):
    until = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > until:
            raise SystemExit(f"FAILED: {what}")
        time.sleep(0.1)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main())
