"""The tools under measurement, each a process that lives as long as the table takes and answers one request
after another; and ImageMagick, which is a process for each image."""

import json
import os
import subprocess
from contextlib import ExitStack

import measure


class Worker:
    """A process that answers a line of JSON with a line of JSON (peers/worker.py)."""

    def __init__(self, command, log, environment):
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=measure.ENVIRONMENT | environment,
            )
        self.log = log

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise measure.Failed(f"it ended; its output is in {self.log}")
        answer = json.loads(line)
        if "error" in answer:
            raise measure.Failed(answer["error"])
        return answer

    def cpu(self, request):
        """CPU seconds of each of the request's `times`."""
        return self.ask(request)["cpu"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Magick:
    """ImageMagick: the command line that people write, one thread, its whole process counted. Once a request:
    it takes longer than all others together, and varies less."""

    def __init__(self, program, log):
        self.program, self.log = program, log

    def cpu(self, request):
        command = [self.program, request["source"], *self.operations(request)]
        command += ["-quality", str(request["quality"]), *request["outputs"]]
        return [measure.run(command, environment={"MAGICK_THREAD_LIMIT": "1"}, log=self.log).cpu]

    def operations(self, request):
        if request.get("gray"):
            return ["-set", "colorspace", "Gray", "-separate", "-average"]
        size = request["sizes"][0]
        return ["-resize", f"{size}x{size}", "-sampling-factor", "4:2:0", "-strip"]


class Workers:
    """Every tool that can be had, by its name in the table."""

    def __init__(self, programs, home):
        """`programs` is name to command; those that are None are left out."""
        home.mkdir(parents=True, exist_ok=True)
        self.open = ExitStack()
        self.tools = {}
        for name, command in programs.items():
            log = home / f"{name}.txt"
            if command is not None and name == "ImageMagick":
                self.tools[name] = Magick(command, log)
            elif command is not None:
                self.tools[name] = worker = Worker(command, log, {"VIPS_CONCURRENCY": "1"})
                self.open.callback(worker.close)

    def get(self, name):
        return self.tools.get(name)

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.open.close()


def load():
    """How many processes wanted a core, over the last minute."""
    return os.getloadavg()[0]
