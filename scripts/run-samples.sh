#!/bin/sh
# The main job, shown whole: serves the sample images on loopback, runs imgmill on their list, says where
# to look. `make run` builds what it needs and calls it.
set -eu

target=${CARGO_TARGET_DIR:-$(pwd)/target}
imgmill=$target/release/imgmill
samples=$target/release/imgmill-samples

# A folder of its own: nobody's input.csv or outputs are touched.
mkdir -p samples
cd samples

list=input.csv
ready=$(mktemp)
# One port every time, so that a second run meets the same URLs and finds them done.
"$samples" serve --list "$list" --port "${SAMPLES_PORT:-8642}" </dev/null >"$ready" &
server=$!
trap 'kill $server 2>/dev/null; rm -f "$ready"' EXIT INT TERM
tries=0
until [ -s "$ready" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 $server 2>/dev/null; then
        echo "the sample server did not start; name a free port: SAMPLES_PORT=8643 make run" >&2
        exit 1
    fi
    sleep 0.1
done
cat "$ready"

echo "+ imgmill run --input $list --output output.csv --output-failed failed.csv"
code=0
"$imgmill" run --input "$list" --output output.csv --output-failed failed.csv || code=$?
# 3 is what the two bad rows of the samples are meant to show.
[ $code -eq 0 ] || [ $code -eq 3 ] || exit $code

echo
echo "What was stored, output.csv:"
cat output.csv
echo
echo "What failed, failed.csv:"
cat failed.csv
echo
if [ -n "${S3_BUCKET:-}" ]; then
    echo "The gray images are in s3://$S3_BUCKET."
else
    echo "The gray images are in $(pwd)/outputs."
fi
