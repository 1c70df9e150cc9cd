"""The loop around an in-process peer: one JSON request a line on standard input, one JSON answer a line on
standard output.

A request is `{"source": FILE, "outputs": [FILE, ...], "times": N}` with what to make: `"sizes": [720]`,
`"format": "jpg"`, `"quality": 80` for images that fit a square of each size, or `"gray": true` for the whole
image in gray; `"optimised"` asks for optimised Huffman tables. The work is done once to warm up and N times
more on bytes in memory; the answer is `{"cpu": [seconds, ...]}`, the process's CPU time of each of the N.
"""

import json
import resource
import sys


def serve(make):
    """`make(data, request)` gives the list of encoded images."""
    for line in sys.stdin:
        try:
            answer = {"cpu": measured(make, json.loads(line))}
        except Exception as error:  # whatever it is, the next request may fare better
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def measured(make, request):
    with open(request["source"], "rb") as file:
        data = file.read()
    make(data, request)
    seconds = []
    for _ in range(request["times"]):
        began = cpu_seconds()
        made = make(data, request)
        seconds.append(cpu_seconds() - began)
    for output, image in zip(request["outputs"], made, strict=True):
        with open(output, "wb") as file:
            file.write(image)
    return seconds


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
