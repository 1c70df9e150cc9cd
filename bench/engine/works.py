"""The rows of the engine table: what is made of which source, and how far ahead of which peer it should be."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Peer:
    """One peer's part in a work."""

    tool: str
    # The peer's CPU time over imgmill's should be this; None: shown for comparison only.
    bar: float | None = None
    # What is said of it beside its name, and asked of it beyond the work's request.
    setting: str = ""
    options: dict = field(default_factory=dict)
    # Whose arithmetic the peer's gray is: it is judged against a reference of the same.
    gray: str | None = None

    @property
    def name(self):
        return f"{self.tool}, {self.setting}" if self.setting else self.tool


@dataclass(frozen=True)
class Work:
    name: str
    source: str  # "photograph", "png" or "jpeg": a file of the sources
    recipe: dict  # for imgmill, as a recipe file
    request: dict  # for the peers, as peers/worker.py describes
    peers: tuple
    gray: str | None = None
    # imgmill's file has to have the source's own quantisation table and no pixel changed.
    lossless: bool = False

    @property
    def outputs(self):
        return len(self.recipe)


OPTIMISED = {"setting": "optimised Huffman tables", "options": {"optimised": True}}


def all_works(quality):
    """`quality` is the photograph's own: what the grays that cannot be lossless are written at."""
    return [*resizing(), *graying(quality), *others()]


def resizing():
    yield Work(
        "JPEG → 720 px JPEG, q 80",
        "photograph",
        {"a": fitting(720, q=80)},
        {"sizes": [720], "format": "jpg", "quality": 80},
        (
            Peer("libvips", 1.5),
            Peer("libvips", **OPTIMISED),
            Peer("sharp", 1.0),
            Peer("oximg", 1.0, "`fast`, as stored"),
            Peer("oximg", None, "its defaults", {"defaults": True}),
            Peer("Pillow"),
            Peer("ImageMagick", 10.0),
        ),
    )
    yield Work(
        "JPEG → 50, 250 and 800 px JPEGs, q 80, one recipe",
        "photograph",
        {str(size): fitting(size, q=80) for size in (50, 250, 800)},
        {"sizes": [50, 250, 800], "format": "jpg", "quality": 80},
        (
            Peer("libvips", 3.0),
            Peer("sharp", 3.0),
            Peer("oximg", None, "`fast`, as stored"),
            Peer("Pillow", 7.0),
        ),
    )


def graying(quality):
    gray = {"gray": True, "format": "jpg", "quality": quality}
    magick = Peer("ImageMagick", 15.0, gray="average")
    yield Work(
        "JPEG → gray, lossless, optimised Huffman tables",
        "photograph",
        {"a": {"quality": "gray"}},
        gray,
        (Peer("libvips", 3.0, gray="linear"), Peer("libvips", gray="linear", **OPTIMISED), magick),
        gray="luma",
        lossless=True,
    )
    yield Work(
        "JPEG → gray, lossless, standard Huffman tables (`effort` 0)",
        "photograph",
        {"a": {"quality": "gray", "effort": 0}},
        gray,
        (Peer("libvips", 6.0, gray="linear"),),
        gray="luma",
        lossless=True,
    )
    yield Work(
        f"JPEG → gray, average of the channels, q {quality}",
        "photograph",
        {"a": {"quality": "gray", "gray": "average", "q": quality}},
        gray,
        (Peer("ImageMagick", 5.0, gray="average"),),
        gray="average",
    )


def others():
    yield Work(
        "2048×1536 RGBA PNG → 720 px PNG",
        "png",
        {"a": fitting(720, format="png")},
        {"sizes": [720], "format": "png"},
        (Peer("libvips", 1.5), Peer("sharp"), Peer("oximg", None, "as stored"), Peer("Pillow")),
    )
    yield Work(
        "1000 px JPEG → 250 px WebP, q 80",
        "jpeg",
        {"a": fitting(250, format="webp", q=80)},
        {"sizes": [250], "format": "webp", "quality": 80},
        (Peer("libvips", 1.2), Peer("sharp"), Peer("oximg", None, "as stored"), Peer("Pillow")),
    )


def fitting(size, **options):
    return {"size": f"!{size},{size}", **options}
