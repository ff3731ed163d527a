#!/bin/sh
# Write requirements/*.txt anew from pyproject.toml: exact versions, every hash, no address of any index.
# Needs uv. `tools/lock.sh --upgrade` takes newer versions.
set -eu
cd "$(dirname "$0")/.."

compile() { # OUTPUT, then what goes in
    output=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-header --output-file "requirements/$output" "$@"
}

compile dev.txt "$@" --group pyproject.toml:dev --all-extras --no-emit-package pagerd pyproject.toml
compile runtime.txt --constraint requirements/dev.txt pyproject.toml
compile all.txt --constraint requirements/dev.txt --all-extras --no-emit-package pagerd pyproject.toml
compile build.txt --constraint requirements/dev.txt --group pyproject.toml:build
