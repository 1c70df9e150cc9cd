#!/usr/bin/env bash
# Builds the image and runs it with docker, podman or buildah: whichever is there and works, or ENGINE. The Makefile's docker-*
# recipes are written with it.
#
#   container.sh build TARGET TAG [--build-arg …]
#   container.sh run [--mount FOLDER:PLACE[:ro]] [--cache NAME:PLACE] [--env-file FILE] [--env NAME=VALUE] [--user UID:GID]
#                    [--interactive] TAG COMMAND [WORD…]
set -euo pipefail

fail() { echo "container.sh: $*" >&2; exit 1; }

if [ -z "${ENGINE:-}" ]; then
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then ENGINE=docker
    elif command -v podman >/dev/null; then ENGINE=podman
    elif command -v buildah >/dev/null; then ENGINE=buildah
    else fail "neither docker, podman nor buildah works here; install one (Debian: apt-get install buildah) or start Docker"
    fi
fi

build() {
    [ $# -ge 2 ] || fail "build wants TARGET TAG"
    local target=$1 tag=$2
    shift 2
    case $ENGINE in
        docker) DOCKER_BUILDKIT=1 docker build --target "$target" --tag "$tag" "$@" . ;;
        podman) podman build --target "$target" --tag "$tag" "$@" . ;;
        buildah) buildah bud --target "$target" --tag "$tag" "$@" . ;;
    esac
}

run() {
    local options=() interactive=""
    while [ $# -gt 0 ]; do
        case $1 in
            --interactive) interactive=yes; shift; continue ;;
            --mount) options+=(--volume "$(folder "$2")") ;;
            --cache) options+=(--volume "$(cache "$2")") ;;
            --env-file) read_variables "$2" ;;
            --env | --user) options+=("$1" "$2") ;;
            *) break ;;
        esac
        shift 2
    done
    [ $# -ge 2 ] || fail "run wants TAG COMMAND"
    if [ "$ENGINE" != buildah ]; then
        [ -z "$interactive" ] || options+=(--interactive --tty)
        exec "$ENGINE" run --rm ${options[@]+"${options[@]}"} "$@"
    fi
    [ -z "$interactive" ] || options+=(--tty)
    local tag=$1 container
    shift
    container=$(buildah from --pull-never "$tag")
    # shellcheck disable=SC2064  # the name of now
    trap "buildah rm '$container' >/dev/null" EXIT
    buildah run ${options[@]+"${options[@]}"} "$container" -- "$@"
}

# A folder of this machine, by its whole path, which engines want.
folder() {
    local here=${1%%:*}
    [ -e "$here" ] || fail "$here is not there, and so cannot be mounted"
    echo "$(realpath "$here"):${1#*:}"
}

# Docker and podman keep named volumes; buildah knows folders alone.
cache() {
    if [ "$ENGINE" != buildah ]; then echo "$1"; return; fi
    local here="${XDG_CACHE_HOME:-$HOME/.cache}/imgmill/${1%%:*}"
    mkdir -p "$here"
    echo "$here:${1#*:}"
}

# Line by line for all engines alike, since buildah reads no such files. A name without a value is passed on, as docker does.
read_variables() {
    [ -r "$1" ] || fail "$1 is not there or cannot be read"
    local line
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            '' | '#'*) ;;
            *=*) options+=(--env "$line") ;;
            *) [ -z "${!line+x}" ] || options+=(--env "$line=${!line}") ;;
        esac
    done <"$1"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    build) build "$@" ;;
    run) run "$@" ;;
    engine) echo "$ENGINE" ;;
    *) sed -n '2,7p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
