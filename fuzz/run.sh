#!/bin/sh
# Fuzzes each target in turn, beginning with small images drawn by code: fuzz/run.sh [SECONDS] [TARGET]...
# Ends with 1 if anything was found; what reproduces it is in fuzz/artifacts.
set -eu

cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -eq 0 ] || shift
samples=${SAMPLES:-../target/release/imgmill-samples}

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzz: the sanitizers need a nightly Rust: rustup toolchain install nightly --profile minimal" >&2
    exit 1
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: installing cargo-fuzz" >&2
    cargo install --locked cargo-fuzz
fi

# Seeds: tiny, because a small input is a fast one and a mutation more often hits a header.
rm -rf corpus/seeds
"$samples" kinds corpus/seeds/images --width 23 --height 17
# What those encoders do not write.
cp seeds/* ../crates/image/tests/fixtures/*.jp2 ../crates/image/tests/fixtures/*.avif corpus/seeds/images/
mkdir -p corpus/seeds/recipe
number=0
while read -r text; do
    number=$((number + 1))
    printf '%s' "$text" >"corpus/seeds/recipe/$number"
done <seeds.txt

extensions() {
    case $1 in
    jpeg | lossless) echo jpg ;;
    tiff) echo tif ;;
    jpeg2000) echo jp2 ;;
    *) echo "$1" ;;
    esac
}

# One allocation may have far less than memory and far more than the pixels that the targets' limits allow: so whoever
# believes a header before looking at the limits is found.
limits="-max_len=65536 -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=128"
found=0
for target in ${*:-recipe jpeg png gif webp tiff bmp lossless avif jpeg2000 svg pdf}; do
    mkdir -p "corpus/$target" "artifacts/$target"
    if [ "$target" = recipe ]; then
        cp corpus/seeds/recipe/* corpus/recipe/
    else
        cp corpus/seeds/images/*."$(extensions "$target")" "corpus/$target/"
    fi
    echo "fuzz: $target for $seconds s"
    log=artifacts/$target.log
    touch artifacts/.began
    # Forked, so that the first finding does not end the search for others.
    # shellcheck disable=SC2086  # one word an option
    cargo +nightly fuzz run "$target" "corpus/$target" -- -max_total_time="$seconds" $limits \
        -fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1 >"$log" 2>&1 || found=1
    grep -E '^#[0-9]+: cov' "$log" | tail -n 1 || tail -n 20 "$log"
    # The forks keep their messages to themselves, so each finding is run again to hear what it is.
    find "artifacts/$target" -type f -newer artifacts/.began | while read -r finding; do
        echo "fuzz: found fuzz/$finding"
        # shellcheck disable=SC2086
        cargo +nightly fuzz run "$target" "$finding" -- $limits 2>&1 |
            grep -E -m 1 -A 1 'panicked at|ERROR: ' || true
    done
    [ -z "$(find "artifacts/$target" -type f -newer artifacts/.began)" ] || found=1
done
exit $found
