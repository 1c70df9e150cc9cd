#!/usr/bin/env bash
# The Makefile's docker-* recipes: what each mounts and says, as the documents of the systems have it.
#
#   docker.sh run|test|develop|process
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "$*" >&2; exit 1; }
# Words that are for the build: BUILD_FLAGS="--build-arg PROFILE=release".
read -r -a flags <<<"${BUILD_FLAGS:-}"
build() { scripts/container.sh build "$@" ${flags[@]+"${flags[@]}"}; }

# ~/.aws and docker_env, where they are, for whoever calls: its files are readable for their owner alone.
mine() {
    options=(--user "$(id -u):$(id -g)")
    [ ! -d "$HOME/.aws" ] || options+=(--mount "$HOME/.aws:/root/.aws:ro")
    if [ -e docker_env ]; then options+=(--env-file docker_env)
    else echo "There is no docker_env, so images go to the folder outputs; deploy/docker/docker_env.example is one to begin with." >&2
    fi
}

case ${1:-} in
    run)
        mkdir -p inputs outputs
        words=${ARGS:-run --input /inputs/input.csv --output /outputs/output.csv --output-failed /outputs/failed.csv --discard}
        [ -n "${ARGS:-}" ] || [ -e inputs/input.csv ] || fail "inputs/input.csv is not there: put the list of URLs there, or say what to run: make docker-run ARGS='run --help'"
        build run "${IMAGE:-imgmill}"
        mine
        # shellcheck disable=SC2086  # words, as typed
        scripts/container.sh run "${options[@]}" --mount inputs:/inputs:ro --mount outputs:/outputs "${IMAGE:-imgmill}" /bin/imgmill $words
        ;;
    test)
        build test imgmill-test
        scripts/container.sh run --cache imgmill-cache:/var/cache/imgmill imgmill-test cargo test --workspace --locked
        ;;
    develop)
        build develop imgmill-develop
        scripts/container.sh run --interactive --mount .:/app --mount /tmp:/tmp --cache imgmill-cache:/var/cache/imgmill imgmill-develop bash
        ;;
    process)
        for name in CONFIG INSTRUCTIONS; do
            file=${!name:-}
            [ -n "$file" ] || fail "$name is missing: make docker-process CONFIG=/path/to/config.json INSTRUCTIONS=/path/to/instructions.json"
            [ -f "$file" ] && [ -r "$file" ] || fail "$name: $file is not there or cannot be read"
        done
        # Into the folder that is built from, whose paths are the only ones that a build can name.
        baked=deploy/docker/baked
        rm -rf "$baked"
        mkdir -p "$baked"
        trap 'rm -rf "$baked"' EXIT
        install -m 644 "$CONFIG" "$baked/config.json"
        install -m 644 "$INSTRUCTIONS" "$baked/instructions.json"
        build run "${IMAGE:-go-iiif-process-ecs}" --build-arg CONFIG="$baked/config.json" --build-arg INSTRUCTIONS="$baked/instructions.json"
        ;;
    *) fail "docker.sh run|test|develop|process" ;;
esac
