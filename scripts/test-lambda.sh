#!/bin/sh
# The function of Lambda under `cargo lambda watch`, each handler with the events that AWS documents, against moto. Installs
# both where missing.
set -eu

work=${AWS_TEST_WORK:-bench/work/aws}
scripts/test-aws.sh --install-only
[ -x "$work/bin/cargo-lambda" ] || "$work/bin/pip" install -q 'cargo-lambda==1.9.2'

# The handler `ecs` starts tasks, which wants the SDKs of fleets; FEATURES=lambda leaves it out.
features=${FEATURES-lambda,fleet}
cargo build --locked -p imgmill --features "$features"
port=${MOTO_PORT:-5056}
"$work/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/moto-lambda.log" 2>&1 &
moto=$!
trap 'kill $moto 2>/dev/null' EXIT INT TERM
PATH=$(cd "$work/bin" && pwd):$PATH
export PATH
"$work/bin/python" scripts/test-lambda.py --moto "http://127.0.0.1:$port" --features "$features" "$@"
