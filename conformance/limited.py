"""Runs a program that may hang, eat all memory or die: with a limit on time and on memory."""

import os
import resource
import signal
import subprocess
from dataclasses import dataclass

MEMORY = 6 << 30  # bytes of address space: decoded images, and the stacks of the threads that libvips starts


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int | None  # None: it was stopped for taking too long
    stdout: bytes
    stderr: str

    @property
    def ok(self):
        return self.code == 0

    @property
    def crashed(self):
        """Ended by a signal, which no refusal is."""
        return self.code is not None and self.code < 0

    def sentence(self):
        """Why it did not succeed, in a few words."""
        if self.code is None:
            return "stopped for taking too long"
        if self.crashed:
            return f"died of {signal.Signals(-self.code).name}"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        # ImageMagick closes with a line that says nothing of the cause.
        lines = [line for line in lines if "no images defined" not in line] or lines
        return lines[-1][:160] if lines else f"ended with {self.code}"


def run(command, seconds):
    """Runs a command to its end or to its limit."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=restrain,
        # A group of its own, so that what it started (ImageMagick's delegates) ends with it.
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        code = None
    return Ended(code, stdout, stderr.decode(errors="replace"))


def restrain():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
