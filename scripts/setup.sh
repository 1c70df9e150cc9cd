#!/bin/sh
# Sets up what a build needs and this machine lacks: Rust, a C compiler, nasm. Says what it does; does
# nothing on a machine that has them. `make` calls it; it may be run alone.
set -eu

RUST_NEEDED=1.94.1

say() { printf '%s\n' "setup: $*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# True when version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else
        say "please run as root: $*"
        exit 1
    fi
}

missing=""
have cc || missing="$missing gcc libc6-dev"
have nasm || missing="$missing nasm"
have curl || have cargo || missing="$missing curl ca-certificates"
if [ -n "$missing" ]; then
    if have apt-get; then
        say "installing$missing"
        as_root apt-get update -qq
        # shellcheck disable=SC2086  # one word a package
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    else
        say "please install a C compiler and nasm, then run this again:"
        say "  Fedora: dnf install gcc nasm     Alpine: apk add build-base nasm"
        say "  Arch: pacman -S base-devel nasm  macOS: xcode-select --install; brew install nasm"
        exit 1
    fi
fi

# rustup puts cargo here; the shell that called this may not know yet.
PATH="$HOME/.cargo/bin:$PATH"
if ! have cargo; then
    say "installing Rust with rustup into ~/.cargo and ~/.rustup"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt
fi
version=$(rustc --version | cut -d ' ' -f 2)
if ! at_least "$version" "$RUST_NEEDED"; then
    if have rustup; then
        say "Rust $version is older than $RUST_NEEDED; updating"
        rustup update stable --no-self-update
        version=$(rustc --version | cut -d ' ' -f 2)
        if ! at_least "$version" "$RUST_NEEDED"; then
            say "Rust $version is still what cargo uses; choose the new one: rustup default stable"
            exit 1
        fi
    else
        say "Rust $version is older than $RUST_NEEDED; please update it, or install rustup (https://rustup.rs)"
        exit 1
    fi
fi
# What `make lint` wants, where rustup can add it.
if have rustup && ! { cargo clippy --version && cargo fmt --version; } >/dev/null 2>&1; then
    rustup component add clippy rustfmt
fi
