#!/bin/sh
# Makes sure that the browser tests have a Chromium. $1: the playwright command.
# Debian's package where we may install one, else Playwright's own download.
set -eu

if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
exec "$1" install chromium
