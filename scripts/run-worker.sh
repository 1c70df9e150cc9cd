#!/bin/sh
# The queue worker, shown whole on one machine: sample images served on loopback, a message about each put into a folder,
# the worker on that folder, and the postback that comes of each. `make run-worker` builds what it needs and calls it.
set -eu

target=${CARGO_TARGET_DIR:-$(pwd)/target}
imgmill=$target/release/imgmill
samples=$target/release/imgmill-samples
port=${SAMPLES_PORT:-8643}

mkdir -p samples/worker/queue
cd samples/worker

heard=postbacks.txt
: >"$heard"
"$samples" serve --list list.csv --port "$port" </dev/null >"$heard" &
server=$!
trap 'kill $server 2>/dev/null' EXIT INT TERM
tries=0
until [ -s "$heard" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 $server 2>/dev/null; then
        echo "the sample server did not start; name a free port: SAMPLES_PORT=8644 make run-worker" >&2
        exit 1
    fi
    sleep 0.1
done

# What a producer does. The receiver of postbacks is the sample server as well.
tail -n +2 list.csv | while read -r url; do
    printf '{"image_url": "%s", "bucket_name": "SAMPLES", "postback_url": "http://127.0.0.1:%s/postback", "title": "%s"}\n' \
        "$url" "$port" "${url##*/}"
done >messages.jsonl
echo "+ imgmill send --queue dir:queue --file messages.jsonl"
"$imgmill" send --queue dir:queue --file messages.jsonl

# Both keys are for this demonstration alone. Loopback is closed to messages unless it is named.
export POSTBACK_SECRET_KEY=a-secret-of-this-demonstration POSTBACK_SIGNING_KEY=a-key-of-this-demonstration
echo "+ imgmill worker --queue dir:queue --store images --allow-host 127.0.0.1:$port --until-empty"
"$imgmill" worker --queue dir:queue --store images --allow-host "127.0.0.1:$port" --until-empty --wait 0.2 --log-level warn

echo
echo "What was posted back:"
tail -n +2 "$heard"
echo
echo "The images are in $(pwd)/images/images-resized/SAMPLES."
