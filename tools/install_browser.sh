#!/bin/sh
# Makes sure that the browser tests have a Chromium. $1: the playwright command.
# Its headless shell, which needs a fraction of a whole browser's time: Debian's package where we may
# install one, else Playwright's own download. A Chromium that is there already does as well.
set -eu

has() {
    command -v "$1" >/dev/null 2>&1
}
install() {
    apt-cache show "$1" >/dev/null 2>&1 || return 1
    apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

if has chromium-headless-shell; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && has apt-get; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || has chromium
    install chromium-headless-shell || has chromium || install chromium
    exit 0
fi
has chromium || exec "$1" install --only-shell chromium
