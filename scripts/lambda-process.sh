#!/bin/sh
# Builds the zip for Lambda: process-task.zip, with the program as `bootstrap`. For provided.al2023, whose C library is glibc 2.34,
# so cargo-lambda has it linked with zig against that one, whatever this machine has. Installs both where missing.
set -eu

work=$(pwd)/${LAMBDA_WORK:-bench/work/lambda}
zip=${1:-process-task.zip}
triple=x86_64-unknown-linux-gnu
profile=${PROFILE:-dist}
if ! [ -x "$work/bin/cargo-lambda" ]; then
    mkdir -p "$work"
    python3 -m venv "$work"
    "$work/bin/pip" install -q 'cargo-lambda==1.9.2' 'ziglang==0.13.0'
fi
PATH=$work/bin:$PATH
export PATH
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(pwd)/target}
export CARGO_TARGET_DIR
rm -rf "$work/out"
# The check would have rustup fetch a target; the one that is asked for is this machine's own, with an older C library.
cargo lambda build --skip-target-check --locked --profile "$profile" -p imgmill --bin imgmill --features "${FEATURES-lambda,fleet}" \
    --target "$triple.2.34" --output-format zip --lambda-dir "$work/out"
made=$(find "$work/out" -name bootstrap.zip)
[ -n "$made" ] || { echo "lambda-process: cargo lambda made no bootstrap.zip below $work/out" >&2; exit 1; }

# Lambda would only say so when it is started.
needed=$(python3 - "$made" <<'PYTHON'
import re, sys, zipfile
versions = set(re.findall(rb"GLIBC_(\d+)\.(\d+)", zipfile.ZipFile(sys.argv[1]).read("bootstrap")))
print("%d.%d" % max((int(major), int(minor)) for major, minor in versions))
PYTHON
)
case $(printf '%s\n2.34\n' "$needed" | sort -V | tail -n 1) in
    2.34) ;;
    *) echo "lambda-process: the program wants glibc $needed, and provided.al2023 has 2.34" >&2; exit 1 ;;
esac
cp "$made" "$zip"
echo "$zip: $(wc -c <"$zip") bytes, for glibc $needed and newer"
