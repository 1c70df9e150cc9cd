"""The engine table's Markdown: imgmill, peer, ratio, bar, quality, weight, and whether all three hold."""

import statistics

from .matching import larger, worse
from .measurement import OURS

NOT_MEASURED = "not measured"
PAIRS = ["SSIMULACRA2: imgmill, peer", "Bytes: imgmill, peer"]
HEAD = ["Work", "Peer", "imgmill", "Peer's", "Ratio", "Bar", *PAIRS, "Met"]


def table(works, measurement):
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for work in works:
        ours = measurement.results.get((work.name, OURS))
        for peer in work.peers:
            theirs = measurement.results.get((work.name, peer.name))
            lines.append("| " + " | ".join(row(work, peer, ours, theirs)) + " |")
    for cells in threads(measurement.side_by_side):
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def row(work, peer, ours, theirs):
    ratio = theirs.median / ours.median if ours and theirs and ours.median and theirs.median else None
    return (
        work.name,
        peer.name,
        milliseconds(ours),
        milliseconds(theirs),
        NOT_MEASURED if ratio is None else f"{ratio:.1f}×",
        f"≥ {peer.bar:g}×" if peer.bar else "",
        pairs(ours, theirs, "scores", "{:.1f}"),
        pairs(ours, theirs, "sizes", "{:,}"),
        "" if ratio is None else verdict(work, peer, ours, theirs, ratio),
    )


def milliseconds(result):
    if result is None or result.median is None:
        return NOT_MEASURED
    return f"{result.median * 1000:.1f} ms"


def pairs(ours, theirs, what, shape):
    """Both tools' figures of each output."""
    if not (ours and theirs and getattr(ours, what) and getattr(theirs, what)):
        return NOT_MEASURED
    both = zip(getattr(ours, what), getattr(theirs, what), strict=True)
    return "; ".join(", ".join("–" if one is None else shape.format(one) for one in pair) for pair in both)


def verdict(work, peer, ours, theirs, ratio):
    """Speed counts only at equal or better quality and in no larger file."""
    wrong = []
    if peer.bar and ratio < peer.bar:
        wrong.append("too slow")
    if work.lossless and ours.lossless is False:
        wrong.append("not lossless")
    moved = ours.matched.get(peer.name, [None])
    if None in moved:
        wrong += losses(ours, theirs)
    elif any(moved):
        moved = ", ".join(f"{work.request['quality'] + step}" for step in moved)
        return f"{answer(peer, wrong)} with q {moved}".strip()
    return answer(peer, wrong)


def losses(ours, theirs):
    if not (ours.scores and theirs.scores):
        yield "quality not measured"
    if any(worse(*both) for both in zip(ours.scores, theirs.scores, strict=False)):
        yield "lower quality"
    if any(larger(*both) for both in zip(ours.sizes, theirs.sizes, strict=False)):
        yield "larger file"


def answer(peer, wrong):
    reasons = ", ".join(wrong)
    if not peer.bar:
        return f"({reasons})" if wrong else "—"
    return f"**no**: {reasons}" if wrong else "yes"


def threads(answers):
    """By the clock, and by what two idle cores would give if CPU time an image is all there is to it."""
    names = ("the first work, two threads against one: images/s", "the same by CPU time an image")
    if not answers[1]:
        yield from ((name, "", *[NOT_MEASURED] * 3, "≥ 1.9×", "", "", "") for name in names)
        return
    one, two = ({of: statistics.median(a[of] for a in answers[n]) for of in ("rate", "cpu")} for n in (1, 2))
    yield scaling(names[0], f"{two['rate']:.1f}", f"{one['rate']:.1f}", two["rate"] / one["rate"])
    milliseconds = (f"{each['cpu'] * 1000:.1f} ms" for each in (two, one))
    yield scaling(names[1], *milliseconds, 2 * one["cpu"] / two["cpu"])


def scaling(name, two, one, ratio):
    met = "yes" if ratio >= 1.9 else "**no**: too slow"
    return (name, "imgmill, one thread", two, one, f"{ratio:.2f}×", "≥ 1.9×", "", "", met)


def spread_table(works, measurement):
    """What the medians are made of: how far to trust the rest."""
    lines = ["| Times of | Tool | Number | Median | Slowest over fastest |", "|---|---|---|---|---|"]
    for work in works:
        for name in [OURS, *(peer.name for peer in work.peers)]:
            result = measurement.results.get((work.name, name))
            if result and result.median:
                figures = f"{len(result.cpu)} | {milliseconds(result)} | ×{max(result.cpu) / min(result.cpu):.2f}"
                lines.append(f"| {work.name} | {name} | {figures} |")
    return "\n".join(lines)
