"""Takes the turns: in every round each work is done by imgmill and then by each of its peers, so that whatever
else the machine does falls on all alike. Afterwards each tool's last images are judged."""

import json
import statistics
import sys
from dataclasses import dataclass, field

import measure

OURS = "imgmill"


@dataclass
class Result:
    """What one tool did of one work."""

    cpu: list = field(default_factory=list)  # seconds an image (or set of images), one for each time
    sizes: list = field(default_factory=list)  # bytes of each output
    scores: list = field(default_factory=list)  # SSIMULACRA2 of each output; empty where not judged
    lossless: bool | None = None
    failure: str | None = None
    # imgmill's other qualities: the peer's name to the images that are no worse and no larger than the peer's.
    matched: dict = field(default_factory=dict)

    @property
    def median(self):
        return statistics.median(self.cpu) if self.cpu and not self.failure else None


class Measurement:
    """`results` is (work's name, tool's name) to Result."""

    def __init__(self, workers, sources, home, times):
        self.workers, self.sources, self.home, self.times = workers, sources, home, times
        self.results = {}
        self.side_by_side = {1: [], 2: []}

    def round(self, works):
        for work in works:
            if work.source not in self.sources:
                continue
            self.turn(work, OURS, OURS, {"recipe": json.dumps(work.recipe)})
            for peer in work.peers:
                self.turn(work, peer.name, peer.tool, work.request | peer.options)

    def turn(self, work, name, tool, request):
        result = self.results.setdefault((work.name, name), Result())
        worker = self.workers.get(tool)
        if worker is None or result.failure:
            return
        source = str(self.sources[work.source])
        outputs = [str(path) for path in self.outputs(work, name)]
        try:
            result.cpu += worker.cpu({"source": source, "outputs": outputs, "times": self.times} | request)
        except measure.Failed as failure:
            result.failure = str(failure)
            print(f"{work.name}: {name}: {failure}", file=sys.stderr, flush=True)

    def threads(self, work):
        """One thread and two, one after the other: images a second, and CPU time an image."""
        worker = self.workers.get(OURS)
        if worker is None:
            return
        request = {"source": str(self.sources[work.source]), "recipe": json.dumps(work.recipe)}
        request["times"] = 6 * self.times
        try:
            answers = {count: worker.ask(request | {"threads": count}) for count in self.side_by_side}
        except measure.Failed as failure:
            print(f"threads: {failure}", file=sys.stderr, flush=True)
            return
        for count, answer in answers.items():
            self.side_by_side[count].append(answer)

    def weigh(self, works):
        for work in works:
            for name, result in self.of(work):
                result.sizes = [output.stat().st_size for output in self.outputs(work, name)]

    def judge(self, works, judge):
        """Scores every output."""
        for work in works:
            grays = {OURS: work.gray} | {peer.name: peer.gray for peer in work.peers}
            for name, result in self.of(work):
                lossless = name == OURS and work.lossless
                request = {"source": str(self.sources[work.source]), "gray": grays[name], "lossless": lossless}
                try:
                    said = [judge(request | {"judge": str(output)}) for output in self.outputs(work, name)]
                except measure.Failed as failure:
                    print(f"{work.name}: {name} is not judged: {failure}", file=sys.stderr, flush=True)
                    continue
                result.scores = [one["score"] for one in said]
                result.lossless = said[0].get("lossless")

    def of(self, work):
        """Who did the work, with the result."""
        names = [OURS, *(peer.name for peer in work.peers)]
        results = ((name, self.results.get((work.name, name))) for name in names)
        return [(name, result) for name, result in results if result and result.median is not None]

    def outputs(self, work, name):
        directory = self.home / slug(work.name)
        directory.mkdir(parents=True, exist_ok=True)
        kind = work.request["format"]
        return [directory / f"{slug(name)}-{number}.{kind}" for number in range(1, work.outputs + 1)]


def slug(text):
    words = "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
    return "-".join(words)
