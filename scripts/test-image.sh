#!/usr/bin/env bash
# The image, built with buildah from a base made by debootstrap, and run: as whom, how large, what is in it, whether it makes
# derivatives, and whether ~/.aws is found where the documents mount it. Wants root and Debian or Ubuntu; needs no Docker.
#
# This machine's Rust and what it built before are mounted into the build where they are there (CARGO_TARGET_DIR), so it need
# not begin from nothing. PROFILE=release builds faster than dist, FEATURES are those of the build, CARGO_FLAGS what it builds (see
# the Dockerfile). KEEP=1 keeps the images.
set -euo pipefail
cd "$(dirname "$0")/.."

export ENGINE=buildah BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs BUILDAH_LAYERS=true
debian=docker.io/library/debian:bookworm-slim
work=$(pwd)/bench/work/image
limit_mb=60

step() { echo; echo "== $*"; }
fail() { echo "test-image: $*" >&2; exit 1; }
# refused WHAT COMMAND…: it has to fail, and say WHAT.
refused() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then fail "this should have failed: $*"; fi
    grep -qF -- "$what" <<<"$said" || fail "\"$what\" is not in what was said: $said"
}
container() { scripts/container.sh "$@"; }

[ "$(id -u)" -eq 0 ] || fail "buildah's chroot isolation wants root here"
step "installing"
missing=""
for tool in buildah debootstrap; do command -v $tool >/dev/null || missing="$missing $tool"; done
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086  # one word a package
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi
scripts/test-aws.sh --install-only
rm -rf "$work"
mkdir -p "$work"/{inputs,outputs,aws}
# The image's user writes there.
chmod 1777 "$work/outputs"

finish() {
    [ -z "${moto:-}" ] || kill "$moto" 2>/dev/null || true
    # Whole copies of layers: they are given back.
    [ -n "${KEEP:-}" ] || buildah rmi --force imgmill go-iiif-process-ecs imgmill-delegates imgmill-develop >/dev/null 2>&1 || true
    [ -n "${KEEP:-}" ] || buildah rmi --prune --force >/dev/null 2>&1 || true
}
trap finish EXIT

step "the base layer"
if ! buildah images -q "$debian" >/dev/null 2>&1; then
    rm -rf "$work/debian"
    debootstrap --variant=minbase bookworm "$work/debian" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; exit 1; }
    rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/*
    scratch=$(buildah from scratch)
    buildah add -q "$scratch" "$work/debian" /
    buildah config --cmd bash "$scratch"
    buildah commit -q "$scratch" "$debian"
    buildah rm "$scratch"
    rm -rf "$work/debian"
fi
buildah images "$debian"

step "absent files are an error"
refused "CONFIG is missing" make -s docker-process
refused "CONFIG: /nowhere.json is not there" make -s docker-process CONFIG=/nowhere.json INSTRUCTIONS=deploy/docker/instructions.json

step "make docker-process"
cat >"$work/config.json" <<'JSON'
{
  "level": { "compliance": "2" },
  "graphics": { "source": { "name": "VIPS" } },
  "features": { "enable": {}, "disable": {}, "append": {} },
  "images": { "source": { "name": "Disk", "path": "/inputs" }, "cache": { "name": "Null" } },
  "derivatives": { "cache": { "name": "Disk", "path": "/outputs" } }
}
JSON
echo '{ "b": { "size": "!64,64", "format": "jpg" } }' >"$work/instructions.json"
flags="--build-arg PROFILE=${PROFILE:-dist} --build-arg FEATURES=${FEATURES-fleet,lambda,mongodb}"
[ -z "${CARGO_FLAGS:-}" ] || flags="$flags --build-arg CARGO_FLAGS=$CARGO_FLAGS"
cargo=${CARGO_HOME:-$HOME/.cargo} rustup=${RUSTUP_HOME:-$HOME/.rustup}
if [ -x "$cargo/bin/cargo" ] && [ -d "$rustup" ]; then
    target=${CARGO_TARGET_DIR:-$(pwd)/target}
    mkdir -p "$target"
    flags="$flags --volume $cargo:/root/.cargo --volume $rustup:/root/.rustup --volume $target:/mnt/target"
    flags="$flags --build-arg CARGO_HOME=/root/.cargo --build-arg CARGO_TARGET_DIR=/mnt/target"
fi
make -s docker-process CONFIG="$work/config.json" INSTRUCTIONS="$work/instructions.json" BUILD_FLAGS="$flags"
# shellcheck disable=SC2086  # words
container build run imgmill $flags

step "who it is, and what is in it"
[ "$(container run imgmill id -u)" = 1000 ] || fail "its user is not 1000"
container run imgmill /bin/imgmill --version
container run go-iiif-process-ecs /bin/iiif-process -help 2>&1 | grep -q -- "-instructions" || fail "iiif-process -help"
container run go-iiif-process-ecs ls -al /etc/go-iiif/config.json
[ "$(container run go-iiif-process-ecs cat /etc/go-iiif/config.json | sha256sum)" = "$(sha256sum <"$work/config.json")" ] || fail "another config is baked in"
for name in iiif-process iiif-process-ecs iiif-tile-seed; do container run imgmill test -x "/bin/$name" || fail "/bin/$name"; done

step "how large it is"
# bytes IMAGE: of all files, as they lie on a disk.
bytes() {
    local made where size
    made=$(buildah from --pull-never "$1")
    where=$(buildah mount "$made")
    size=$(du -sb "$where" | cut -f 1)
    buildah rm "$made" >/dev/null
    echo "$size"
}
base_bytes=$(bytes "$debian")
over=$(($(bytes imgmill) - base_bytes))
echo "over the base layer ($((base_bytes / 1000000)) MB): $((over / 1000)) kB, of which the program $(($(container run imgmill stat -c %s /bin/imgmill) / 1000)) kB"
[ "$over" -le $((limit_mb * 1000000)) ] || fail "more than $limit_mb MB over the base layer"

step "iiif-process, with the baked configuration"
python3 - "$work/inputs/gradient.png" <<'PYTHON'
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes(value for x in range(320) for value in (x % 256, y % 256, 128)) for y in range(200))
header = struct.pack(">IIBBBBB", 320, 200, 8, 2, 0, 0, 0)
open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
mounts=(--mount "$work/inputs:/inputs:ro" --mount "$work/outputs:/outputs")
container run "${mounts[@]}" go-iiif-process-ecs /bin/iiif-process \
    -config /etc/go-iiif/config.json -instructions /etc/go-iiif/instructions.json -report -uri gradient.png
find "$work/outputs" -type f
[ -s "$work/outputs/gradient.png/full/!64,64/0/color.jpg" ] || fail "no derivative"
[ -s "$work/outputs/gradient.png/process.json" ] || fail "no report"

step "the main job, in processes that are shut in"
printf 'url\n/inputs/gradient.png\n' >"$work/inputs/input.csv"
container run "${mounts[@]}" imgmill /bin/imgmill run --input /inputs/input.csv --output /outputs/output.csv --discard --isolate process
grep -q '^/inputs/gradient.png,' "$work/outputs/output.csv" || fail "no row"

step "~/.aws at /root/.aws, its files readable for their owner alone"
port=${MOTO_PORT:-5057}
bench/work/aws/bin/moto_server -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
moto=$!
until curl -sf "http://127.0.0.1:$port/moto-api/" >/dev/null; do sleep 0.2; kill -0 $moto || { cat "$work/moto.log"; exit 1; }; done
curl -sf -X PUT "http://127.0.0.1:$port/my-bucket" -H "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0" >/dev/null
printf '[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n' >"$work/aws/credentials"
printf '[default]\nregion = us-east-1\n' >"$work/aws/config"
printf '# a line that says nothing\nAWS_REGION=us-east-1\nS3_BUCKET=my-bucket\nAWS_ENDPOINT_URL=http://127.0.0.1:%s\nAWS_EC2_METADATA_DISABLED=true\n' "$port" >"$work/docker_env"
to_s3() { container run "$@" --env-file "$work/docker_env" "${mounts[@]}" imgmill /bin/imgmill run --input /inputs/input.csv --output /outputs/s3.csv --discard --refresh; }
for owner in 1000 12345; do
    chown -R "$owner:$owner" "$work/aws"
    chmod 700 "$work/aws"
    chmod 600 "$work/aws/"*
    rm -f "$work/outputs/s3.csv"
    user=()
    # The image's own user, as with the documents' command; any other says who it is, as the Makefile's recipes do.
    [ "$owner" = 1000 ] || user=(--user "$owner:$owner")
    to_s3 ${user[@]+"${user[@]}"} --mount "$work/aws:/root/.aws:ro"
    grep -q my-bucket "$work/outputs/s3.csv" || fail "nothing was stored for the owner $owner"
done
refused "credentials" to_s3

step "with ImageMagick and Ghostscript"
# shellcheck disable=SC2086  # words
container build run-delegates imgmill-delegates $flags
printf '%%!PS-Adobe-3.0 EPSF-3.0\n%%%%BoundingBox: 0 0 72 36\n0.2 0.4 0.9 setrgbcolor 0 0 72 36 rectfill showpage\n%%%%EOF\n' >"$work/inputs/drawing.eps"
printf 'url\n/inputs/drawing.eps\n' >"$work/inputs/input.csv"
rm -f "$work/outputs/output.csv"
container run "${mounts[@]}" imgmill-delegates /bin/imgmill run --input /inputs/input.csv --output /outputs/output.csv --discard --delegates
grep -q '^/inputs/drawing.eps,' "$work/outputs/output.csv" || fail "EPS was not read"

step "the tools, for developing"
# shellcheck disable=SC2086  # words
container build develop imgmill-develop $flags
container run --mount .:/app --mount "$cargo:/root/.cargo" --mount "$rustup:/root/.rustup" imgmill-develop sh -c 'cargo --version && ls /app/Cargo.toml'

echo
echo "the image is as it should be"
