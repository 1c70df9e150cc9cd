"""The contact sheet in headless Chromium, from its file alone: failures come first, search and filters work, pictures are
drawn, nothing that a list says is run; and with 10,000 rows it opens and answers quickly."""

import subprocess
import sys
from pathlib import Path

from view import Checks, browse

ROWS = 10_000
# Milliseconds on a machine that may be busy with other things; alone it takes a fraction of that.
OPENS, ANSWERS = 8000, 600
HOSTILE = "http://127.0.0.1:9/<img src=x onerror=window.hurt=1>.jpg?</script><script>window.hurt=1</script>"


def main():
    imgmill, samples, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    checks = Checks("sheet")
    subprocess.run([samples, "write", work / "images", "--count", "40", "--width", "320", "--height", "240"],
                   check=True, stdout=subprocess.DEVNULL)
    images = sorted((work / "images").glob("*.jpg"))
    small(checks, imgmill, work, images)
    large(checks, imgmill, work, images)
    checks.end()


def run(imgmill, work, urls, name):
    (work / "input.csv").write_text("url\n" + "".join(f"{url}\n" for url in urls))
    command = [imgmill, "run", "--input", "input.csv", "--output", "output.csv", "--contact-sheet", f"{name}.html"]
    command += ["--derive", "small=full/160,/0/default.jpg", "--store", name, "--retries", "0", "--quiet"]
    command += ["--work-dir", work / "kept"]
    done = subprocess.run([str(word) for word in command], cwd=work, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"sheet: {done.stderr}")
    return work / f"{name}.html"


def small(checks, imgmill, work, images):
    urls = [*images, HOSTILE, "missing.jpg"]
    told = browse(checks, "sheet.mjs", run(imgmill, work, urls, "small"), images[3].name, work / "small.png")
    if told is None:
        return
    checks.that(told["failed"] == [] and told["asked"] == [], f"nothing fails, nothing is asked for: {told}")
    checks.that(told["first"] == ["failed", "failed", "done"], f"failures come first: {told['first']}")
    checks.that(told["rows"] == 42 and told["searched"] == 1 and told["filtered"] == 2, f"search and filter: {told}")
    checks.that(told["drawn"] == 2, f"the row that is looked for has both pictures: {told['drawn']}")
    checks.that(told["bars"] == 3 and told["slowest"] == 8, f"times are plotted, the slowest are named: {told}")
    checks.that(told["hurt"] is False, "nothing that the list says was run")


def large(checks, imgmill, work, images):
    urls = [images[number % len(images)] for number in range(ROWS - 10)] + [f"missing-{number}.jpg" for number in range(10)]
    sheet = run(imgmill, work, urls, "large")
    told = browse(checks, "sheet.mjs", sheet, "missing-7", work / "large.png")
    if told is None:
        return
    print(f"  {ROWS} rows, {sheet.stat().st_size / 1e6:.1f} MB: opens in {told['opened']} ms, answers in {told['answered']} ms")
    checks.that(told["rows"] == ROWS and told["filtered"] == 10 and told["searched"] == 1, f"all rows are there: {told}")
    checks.that(told["opened"] < OPENS, f"it opens within {OPENS} ms: {told['opened']}")
    checks.that(told["answered"] < ANSWERS, f"it answers within {ANSWERS} ms: {told['answered']}")
    checks.that(told["shown"] == 50, f"it shows a page at a time: {told['shown']}")


main()
