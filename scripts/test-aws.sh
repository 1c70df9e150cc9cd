#!/bin/sh
# The tests that want AWS and MongoDB: against moto and SecantusDB, stand-ins that run on this machine as processes of their
# own. Installs them where missing.
set -eu

work=${AWS_TEST_WORK:-bench/work/aws}
if ! [ -x "$work/bin/moto_server" ] || ! [ -x "$work/bin/secantusd-py" ]; then
    mkdir -p "$work"
    python3 -m venv "$work"
    "$work/bin/pip" install -q 'moto[server]==5.2.5' 'SecantusDB==0.7.0b3' 'pymongo>=4'
fi
if [ "${1:-}" = --install-only ]; then
    exit 0
fi

port=${MOTO_PORT:-5055}
mongo_port=${MONGO_PORT:-27117}
"$work/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
moto=$!
"$work/bin/secantusd-py" --host 127.0.0.1 --port "$mongo_port" --storage-path :memory: >"$work/mongo.log" 2>&1 &
mongo=$!
trap 'kill $moto $mongo 2>/dev/null' EXIT INT TERM

# wait_for WHAT PROCESS LOG COMMAND…
wait_for() {
    what=$1 process=$2 log=$3
    shift 3
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ] || ! kill -0 "$process" 2>/dev/null; then
            echo "$what did not start:" >&2
            cat "$log" >&2
            exit 1
        fi
        sleep 0.2
    done
}
wait_for moto $moto "$work/moto.log" curl -sf "http://127.0.0.1:$port/moto-api/"
wait_for SecantusDB $mongo "$work/mongo.log" \
    "$work/bin/python" -c "import socket; socket.create_connection(('127.0.0.1', $mongo_port), 1)"

export MOTO_ENDPOINT=http://127.0.0.1:$port
export MONGO_TEST_URL=mongodb://127.0.0.1:$mongo_port/imgmill
export TEST_PYTHON=$(pwd)/$work/bin/python
case $work in /*) export TEST_PYTHON=$work/bin/python ;; esac
# FEATURES= leaves MongoDB and fleets out, and so the minutes that their drivers and SDKs take to build.
# The whole workspace, as `make test` builds it: with other features everything would be built once more.
cargo test --workspace --locked --features "imgmill/test-aws${FEATURES-,imgmill/mongodb,imgmill/fleet}" --test aws -- "$@"
