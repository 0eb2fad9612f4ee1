#!/bin/sh
# Build .venv: every dependency as locked, checked by hash, then this project. `make install` calls it.
# PYTHON names another interpreter. What stops it is one sentence.
set -eu
cd "$(dirname "$0")/.."

NEEDED_MB=1200
LOG=.venv/install.log
UNFINISHED=.venv/unfinished # there from the first change to the environment to the last

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
        rm -f "$UNFINISHED" # pip changes nothing before it has everything
        fail "$what failed: the package index cannot be reached, and a first install needs the network (details in $LOG)."
    elif grep -q -i 'DO NOT MATCH THE HASHES' "$LOG"; then
        rm -f "$UNFINISHED"
        fail "$what failed: a package differs from its recorded hash and was not installed (details in $LOG)."
    fi
    why=$(grep -E 'ERROR|error' "$LOG" | tail -1)
    fail "$what failed: ${why:-$(tail -1 "$LOG")} (details in $LOG)."
}

# What was interrupted is not repaired but built again: pip takes what it had half installed for whole.
whole() {
    [ ! -e "$UNFINISHED" ] && .venv/bin/python -m pip --version >/dev/null 2>&1
}

python=$(find_python) || exit 1
if ! whole; then
    free_mb=$(df -Pm . | awk 'NR == 2 {print $4}')
    [ "$free_mb" -ge "$NEEDED_MB" ] || fail "only $free_mb MB are free here, and the environment needs $NEEDED_MB MB."
    rm -rf .venv
    mkdir .venv
    : >"$UNFINISHED"
    echo "building .venv with $("$python" --version 2>&1)"
    "$python" -m venv .venv || fail "$python could not make a virtual environment."
fi
: >"$UNFINISHED"
: >"$LOG"
echo "installing locked dependencies (about 140 MB the first time)"
run "installing the dependencies" .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes -r requirements.lock
run "installing hcp itself" .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
rm -f "$UNFINISHED"
