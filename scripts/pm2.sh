#!/bin/sh
# pm2, the process manager: the one that is on the PATH, else one that is installed here from npm.
set -eu

if command -v pm2 >/dev/null 2>&1; then
    exec pm2 "$@"
fi
tools=$(cd "$(dirname "$0")/.." && pwd)/.tools/pm2
if ! [ -x "$tools/node_modules/.bin/pm2" ]; then
    if ! command -v npm >/dev/null 2>&1; then
        echo "pm2 needs Node.js and npm; on Debian and Ubuntu: apt-get install nodejs npm" >&2
        exit 1
    fi
    mkdir -p "$tools"
    npm install --silent --no-fund --no-audit --prefix "$tools" pm2 >&2
fi
exec "$tools/node_modules/.bin/pm2" "$@"
