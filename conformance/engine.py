"""The engine under test, as its example `derive`: a process that makes one derivative of one file."""

import re
from dataclasses import dataclass
from pathlib import Path

import limited

MOST_PIXELS = 100_000_000  # the engine's limit unless told otherwise


@dataclass(frozen=True)
class Made:
    """What became of one derivative: a file, or why there is none."""

    file: Path | None
    kind: str = ""
    message: str = ""

    @property
    def crashed(self):
        return self.kind == "crash"


class Engine:
    def __init__(self, program, seconds, folder):
        self.program, self.seconds, self.folder = program, seconds, folder

    def make(self, image, recipe):
        out = self.folder / f"{recipe.name}.{recipe.request.rsplit('.', 1)[1]}"
        out.unlink(missing_ok=True)
        derive = ["--derive", f"{recipe.name}={recipe.request}"]
        ended = limited.run([self.program, image, self.folder, *derive], self.seconds)
        if ended.ok:
            return Made(out)
        # How the example prints the engine's error. What is not one is a panic, an abort, or a hang.
        error = re.search(r'kind: (\w+), message: "(.*?)", source:', ended.stderr)
        if error is None or ended.crashed or ended.code is None or "panicked" in ended.stderr:
            return Made(None, "crash", ended.sentence())
        return Made(None, error[1], error[2])
