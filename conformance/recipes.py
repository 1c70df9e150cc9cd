"""What every image is put through, and how close the results have to be."""

from dataclasses import dataclass

SIDE = 200  # pixels: the box of the resized recipe


@dataclass(frozen=True)
class Recipe:
    """A request, and which of an oracle's ways makes the same."""

    name: str
    request: str
    resized: bool = False
    lossy: bool = False


RECIPES = (
    Recipe("decode", "full/max/0/default.png"),
    Recipe("resize", f"full/!{SIDE},{SIDE}/0/default.png", resized=True),
    Recipe("square", "square/max/0/default.png"),
    Recipe("turn", "full/max/90/default.png"),
    Recipe("gray", "full/max/0/gray.png"),
    Recipe("jpeg", "full/max/0/default.jpg", lossy=True),
)

DECODED = 38.0  # decibels
RESIZED = 33.0
MANAGED = 28.0  # CMYK, LAB and wide gamut: no two colour engines agree to the last bit


def bar(recipe, managed):
    """The least PSNR that passes."""
    if managed:
        return MANAGED
    return RESIZED if recipe.resized else DECODED
