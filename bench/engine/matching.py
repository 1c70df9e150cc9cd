"""Equal or better quality in no larger file is a matter of `q` where imgmill's image is better and larger than a
peer's, or smaller and worse: then the next values of `q` are tried, and the first that holds both is shown."""

import json
import sys

import measure

from .measurement import OURS

# Less than this, in points of SSIMULACRA2, is taken as equal; and this, of a file's bytes.
EQUAL_SCORE = 0.1
EQUAL_SIZE = 1.005
STEPS = (-1, -2, -3, -4, -5, 1, 2, 3)


def worse(mine, other):
    """Of two scores; those too small for one are never worse."""
    return mine is not None and other is not None and mine < other - EQUAL_SCORE


def larger(mine, other):
    return mine > other * EQUAL_SIZE


def holds(mine, other):
    """Each a score and a size."""
    return not worse(mine[0], other[0]) and not larger(mine[1], other[1])


def match(works, measurement, judge):
    """Fills in `matched` of imgmill's results, for the works that have a `q`."""
    for work in works:
        done = dict(measurement.of(work))
        if OURS not in done or not all("q" in options for options in work.recipe.values()):
            continue
        ours = done.pop(OURS)
        if ours.scores:
            tried = Tried(work, measurement, judge, list(zip(ours.scores, ours.sizes, strict=True)))
            for name, theirs in done.items():
                pairs = zip(theirs.scores, theirs.sizes, strict=False)
                try:
                    ours.matched[name] = [tried.step_for(number, pair) for number, pair in enumerate(pairs)]
                except measure.Failed as failure:
                    print(f"{work.name}: no other q against {name}: {failure}", file=sys.stderr, flush=True)


class Tried:
    """Scores and sizes of imgmill's images of one work, by how far `q` was moved."""

    def __init__(self, work, measurement, judge, as_asked):
        self.work, self.measurement, self.judge = work, measurement, judge
        self.by_step = {0: as_asked}

    def step_for(self, number, other):
        """How far to move `q` for output `number`; None where nothing helps."""
        highest = 100 - max(options["q"] for options in self.work.recipe.values())
        steps = (0, *(step for step in STEPS if step <= highest))
        return next((step for step in steps if holds(self.at(step)[number], other)), None)

    def at(self, step):
        if step not in self.by_step:
            self.by_step[step] = self.make(step)
        return self.by_step[step]

    def make(self, step):
        work, measurement = self.work, self.measurement
        recipe = {label: options | {"q": options["q"] + step} for label, options in work.recipe.items()}
        source = str(measurement.sources[work.source])
        outputs = measurement.outputs(work, f"{OURS} {'more' if step > 0 else 'less'} {abs(step)}")
        request = {"source": source, "recipe": json.dumps(recipe), "times": 1}
        measurement.workers.get(OURS).cpu(request | {"outputs": [str(output) for output in outputs]})
        ask = {"source": source, "gray": work.gray}
        return [(self.judge(ask | {"judge": str(o)})["score"], o.stat().st_size) for o in outputs]
