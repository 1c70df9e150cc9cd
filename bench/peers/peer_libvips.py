"""libvips as a peer, by pyvips: `thumbnail_buffer` for sizes, `colourspace` for gray. The operation cache is
off, so that no run is served from an earlier one; the number of threads is VIPS_CONCURRENCY's."""

import pyvips
import worker


def make(data, request):
    if request.get("gray"):
        image = pyvips.Image.new_from_buffer(data, "", access="sequential")
        return [encoded(image.colourspace("b-w"), request)]
    return [encoded(thumbnail(data, size), request) for size in request["sizes"]]


def thumbnail(data, size):
    return pyvips.Image.thumbnail_buffer(data, size, height=size, size="down")


def encoded(image, request):
    match request["format"]:
        case "jpg":
            optimised = request.get("optimised", False)
            return image.jpegsave_buffer(Q=request["quality"], optimize_coding=optimised, keep="none")
        case "png":
            return image.pngsave_buffer(keep="none")
        case "webp":
            return image.webpsave_buffer(Q=request["quality"], keep="none")


pyvips.cache_set_max(0)
worker.serve(make)
