"""Turns the measured costs into one Markdown table: imgmill, peer, ratio, goal, and whether it is met.
Where something was not measured, its row says so."""

from measure import median, spread

NOT_MEASURED = "not measured"


def table(bench, costs):
    """The table's text. `costs` is name to the list of that work's runs."""
    figures = {name: median(runs) for name, runs in costs.items() if runs}
    lines = [
        "| Work | imgmill | Peer | Ratio | Goal | Met |",
        "|---|---|---|---|---|---|",
    ]
    for cells in rows(bench, figures):
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rows(bench, figures):
    count = len(bench.urls)
    linear = rate(figures, "linear design", bench.linear_count)
    gray = rate(figures, "gray", count)
    yield faster(f"{count:,} URLs to gray, linear design", gray, linear, 25)
    average = rate(figures, "gray average", count)
    yield faster("the same with `--gray average`, linear design (the same arithmetic)", average, linear, 5)
    thumbnails, peer = rate(figures, "thumbnails", count), rate(figures, "img2dataset", count)
    yield faster(f"{count:,} URLs to 250 px, img2dataset", thumbnails, peer, 4)
    yield peak("peak memory, gray", figures.get("gray"), None)
    small, peer = figures.get("thumbnails"), figures.get("img2dataset")
    yield peak("peak memory, 250 px, img2dataset (its largest process)", small, peer)
    yield growth(bench, figures.get("gray"), figures.get("long list"))
    sizes = (("", bench.photos, "1000 px"), (" large", bench.large_photos, "6 megapixels"))
    for name, photos, what in sizes:
        ours, theirs = figures.get("lossless" + name), figures.get("jpegtran" + name)
        yield cpu(f"CPU a file of lossless gray, {what}, `jpegtran`", ours, theirs, len(photos))
    yield start(figures.get("version"))


def rate(figures, name, images):
    return images / figures[name].wall if name in figures else None


def shown(value, text):
    return NOT_MEASURED if value is None else text.format(value)


def verdict(met):
    return "—" if met is None else "yes" if met else "**no**"


def faster(work, ours, theirs, goal):
    ratio = ours / theirs if ours and theirs else None
    return (
        work,
        shown(ours, "{:.1f} images/s"),
        shown(theirs, "{:.1f} images/s"),
        shown(ratio, "{:.1f}×"),
        f"≥ {goal}×",
        verdict(None if ratio is None else ratio >= goal),
    )


def peak(work, ours, theirs):
    ratio = ours.peak / theirs.peak if ours and theirs else None
    return (
        work,
        shown(ours and ours.peak, "{:.0f} MB"),
        "" if theirs is None else f"{theirs.peak:.0f} MB",
        "" if ratio is None else f"{ratio:.2f}",
        "< 250 MB",
        verdict(None if ours is None else ours.peak < 250),
    )


def growth(bench, short, long):
    more = (long.peak / short.peak - 1) * 100 if short and long else None
    return (
        f"peak memory, list {bench.repeats}× longer over the same images",
        shown(long and long.peak, "{:.0f} MB"),
        shown(short and short.peak, "{:.0f} MB (the short list)"),
        shown(more, "{:+.1f} %"),
        "< +10 %",
        verdict(None if more is None else more < 10),
    )


def cpu(work, ours, theirs, files):
    ratio = ours.cpu / theirs.cpu if ours and theirs else None
    return (
        work,
        shown(ours and ours.cpu / files * 1000, "{:.1f} ms"),
        shown(theirs and theirs.cpu / files * 1000, "{:.1f} ms"),
        shown(ratio, "{:.2f}×"),
        "≤ 1.5×",
        verdict(None if ratio is None else ratio <= 1.5),
    )


def start(cost):
    return (
        "`imgmill --version`",
        shown(cost and cost.wall * 1000, "{:.1f} ms"),
        "",
        "",
        "< 20 ms",
        verdict(None if cost is None else cost.wall < 0.02),
    )


def runs_table(costs):
    """What the medians are made of, and how far apart the runs were: how far to trust the rest."""
    lines = ["| Runs of | Number | Wall | Slowest over fastest | CPU | Peak |", "|---|---|---|---|---|---|"]
    for name, runs in costs.items():
        if runs:
            middle = median(runs)
            figures = f"{middle.wall:.3f} s | ×{spread(runs):.2f} | {middle.cpu:.3f} s | {middle.peak:.0f} MB"
            lines.append(f"| {name} | {len(runs)} | {figures} |")
    return "\n".join(lines)
