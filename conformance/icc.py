"""What an ICC profile says of its space, as far as choosing a bar wants to know."""

import struct

# Chromaticities of sRGB's primaries, adapted to D50 as profiles store them, in CIE 1976 u′v′.
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def is_wide(profile):
    """Whether a profile of red, green and blue spans clearly more than sRGB. False for all others."""
    if profile is None or profile[16:20] != b"RGB ":
        return False
    primaries = [colorant(profile, name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    # One without primaries (by tables) is taken for a printer's or a camera's own: wide.
    return None in primaries or area(primaries) > 1.05 * area(SRGB)


def colorant(profile, name):
    (count,) = struct.unpack_from(">I", profile, 128)
    for number in range(min(count, 100)):
        tag, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if tag == name and size >= 20:
            return tuple(part / 65536 for part in struct.unpack_from(">3i", profile, offset + 8))
    return None


def area(primaries):
    (ax, ay), (bx, by), (cx, cy) = map(chromaticity, primaries)
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2


def chromaticity(xyz):
    x, y, z = xyz
    total = x + 15 * y + 3 * z
    return (4 * x / total, 9 * y / total) if total else (0, 0)
