#!/bin/sh
# The tests that want AWS: against moto, a stand-in that runs on this machine. Installs it where missing.
set -eu

work=${AWS_TEST_WORK:-bench/work/aws}
if ! [ -x "$work/bin/moto_server" ]; then
    mkdir -p "$work"
    python3 -m venv "$work"
    "$work/bin/pip" install -q 'moto[server]==5.2.5'
fi
port=${MOTO_PORT:-5055}
"$work/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
moto=$!
trap 'kill $moto 2>/dev/null' EXIT INT TERM
tries=0
until curl -sf "http://127.0.0.1:$port/moto-api/" >/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 150 ] || ! kill -0 $moto 2>/dev/null; then
        cat "$work/moto.log" >&2
        exit 1
    fi
    sleep 0.2
done
MOTO_ENDPOINT=http://127.0.0.1:$port cargo test --locked -p imgmill --features test-aws --test aws
