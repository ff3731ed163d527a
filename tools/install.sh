#!/bin/sh
# Make .venv and install into it, with hashes checked: the named lock files, then pagerd itself.
#     tools/install.sh runtime build        what running it needs
#     tools/install.sh dev                  what its tests need, too
# Takes uv where there is one, else python3 -m venv and pip.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*"; }

stamp=".venv/.installed-$(printf '%s-' "$@")"
inputs="pyproject.toml tools/install.sh"
locks=""
for lock in "$@"; do
    inputs="$inputs requirements/$lock.txt"
    locks="$locks --requirement requirements/$lock.txt"
done
if [ -f "$stamp" ] && [ -z "$(find $inputs -newer "$stamp")" ] && .venv/bin/python -c 'import pagerd' 2>/dev/null; then
    exit 0
fi

python() { # the name of a Python that is new enough
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            printf '%s' "$name"
            return
        fi
    done
    say "pagerd needs Python 3.11 or newer, and there is none here." >&2
    exit 1
}

with_venv() { # see that this Python can make virtual environments
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing $package."
        apt-get update -qq </dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" </dev/null
    else
        say "Python can't make virtual environments here. On Debian and Ubuntu this mends it:" >&2
        say "    sudo apt-get install $package" >&2
        exit 1
    fi
}

say "Installing into .venv: $* (from requirements/, hashes checked)"
if command -v uv >/dev/null; then
    [ -x .venv/bin/python ] || uv venv --quiet --python '>=3.11' .venv
    # shellcheck disable=SC2086 -- several words are meant
    uv pip install --quiet --python .venv/bin/python --require-hashes $locks
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
else
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        chosen="$(python)"
        with_venv "$chosen"
        "$chosen" -m venv --clear .venv
    fi
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes $locks
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
touch "$stamp"
