#!/bin/sh
# Build .venv: every dependency as locked, checked by hash, then this project. `make install` calls it.
# PYTHON names another interpreter. What stops it is one sentence.
set -eu
cd "$(dirname "$0")/.."

NEEDED_MB=1200
LOG=.venv/install.log

fail() {
    echo "install: $1" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

usable() {
    new_enough "$1" && "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer ($("$PYTHON" --version 2>&1 | tail -1))."
        usable "$PYTHON" || fail "$PYTHON lacks the modules venv and ensurepip (on Debian and Ubuntu: the package python3-venv)."
        echo "$PYTHON"
        return
    fi
    lacking=
    for candidate in python3.13 python3.12 python3.11 python3.14 python3 python; do
        if usable "$candidate"; then
            echo "$candidate"
            return
        elif new_enough "$candidate"; then
            lacking=$candidate
        fi
    done
    [ -z "$lacking" ] || fail "$lacking lacks the modules venv and ensurepip (on Debian and Ubuntu: the package python3-venv)."
    fail "Python 3.11 or newer is needed, and here is $(python3 --version 2>/dev/null || echo 'no python3'): install one, or name it with make PYTHON=/path/to/python3."
}

run() {
    what=$1
    shift
    "$@" >>"$LOG" 2>&1 && return
    if grep -q -i -E 'no space left' "$LOG"; then
        fail "$what failed: the disk is full."
    elif grep -q -i -E 'connection|name resolution|retries|timed out|resolve' "$LOG"; then
        fail "$what failed: the package index cannot be reached, and a first install needs the network (details in $LOG)."
    elif grep -q -i 'DO NOT MATCH THE HASHES' "$LOG"; then
        fail "$what failed: a package differs from its recorded hash and was not installed (details in $LOG)."
    fi
    fail "$what failed: $(grep -E 'ERROR|error' "$LOG" | tail -1) (details in $LOG)."
}

python=$(find_python) || exit 1
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
    free_mb=$(df -Pm . | awk 'NR == 2 {print $4}')
    [ "$free_mb" -ge "$NEEDED_MB" ] || fail "only $free_mb MB are free here, and the environment needs $NEEDED_MB MB."
    rm -rf .venv
    echo "building .venv with $("$python" --version 2>&1)"
    "$python" -m venv .venv || fail "$python could not make a virtual environment."
fi
: >"$LOG"
echo "installing locked dependencies (about 140 MB the first time)"
run "installing the dependencies" .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes -r requirements.lock
run "installing hcp itself" .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
