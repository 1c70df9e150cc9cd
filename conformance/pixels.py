"""Raw pixels and how far two pictures are apart. Plain Python: nothing here is shared with what is compared."""

import math
from collections import Counter
from dataclasses import dataclass
from operator import sub


@dataclass(frozen=True)
class Pixels:
    """8-bit RGB, or several such pictures of one size, one after another."""

    width: int
    height: int
    data: bytes

    @property
    def size(self):
        return self.width, self.height


def read_ppm(data):
    """A binary PPM of 8 bits a sample."""
    fields, position = [], 0
    while len(fields) < 4:
        end = position
        while data[end : end + 1].strip():
            end += 1
        fields.append(data[position:end])
        position = end + 1
    kind, width, height, most = fields[0], *map(int, fields[1:])
    if kind != b"P6" or most != 255 or len(data) - position != width * height * 3:
        raise ValueError("not a whole PPM of 8 bits")
    return Pixels(width, height, data[position:])


def psnr(one, other):
    """Peak signal-to-noise ratio in decibels over all samples; infinite where all are equal."""
    if one.data == other.data:
        return math.inf
    # Counting differences first keeps the loop over samples out of Python.
    differences = Counter(map(sub, one.data, other.data))
    squares = sum(difference * difference * times for difference, times in differences.items())
    return 10 * math.log10(255 * 255 * len(one.data) / squares)
