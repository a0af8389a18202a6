#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sets up and runs the test suite; arguments go to pytest.
#
# Uses the active virtual environment, else makes .venv at the top of the repository. Compilers and
# the emulator come from apt where this user may install packages; else the tests that need them are
# skipped, and the command that installs them is printed.
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '%s\n' "$*" >&2
}

# Whether a compiler links with sanitizers, whose runtime is a package of its own.
sanitizes() {
    folder=$(mktemp -d)
    "$1" -fsanitize=address,undefined codegen/harness/empty.c -o "$folder/empty" 2>/dev/null
    status=$?
    rm -rf "$folder"
    return "$status"
}

# The packages of tools that are missing, on one line.
missing_packages() {
    command -v gcc >/dev/null || printf '%s ' gcc libc6-dev
    command -v clang >/dev/null || printf '%s ' clang
    command -v clang >/dev/null && sanitizes clang || printf '%s ' libclang-rt-dev
    command -v arm-none-eabi-gcc >/dev/null || printf '%s ' gcc-arm-none-eabi libnewlib-arm-none-eabi
    command -v make >/dev/null || printf '%s ' make
    command -v cppcheck >/dev/null || printf '%s ' cppcheck
    command -v qemu-system-arm >/dev/null || printf '%s ' qemu-system-arm
    python3 -c 'import ensurepip, venv' 2>/dev/null || printf '%s ' python3-venv
}

# Prints what runs a command as root, nothing for root itself; fails where nobody may.
as_root() {
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null && echo sudo; }
}

# The browser that pages of reports are opened in: large, and only where slow tests run, too.
missing_browser() {
    [ -n "${MCUPLAN_TEST_SLOW-}" ] || return 0
    command -v chromium >/dev/null || command -v google-chrome >/dev/null || printf '%s ' chromium
}

# Installs packages, or says what is skipped without them.
install_packages() {
    packages=$1
    [ -n "$packages" ] || return 0
    line="apt-get update && apt-get install -y --no-install-recommends $packages"
    if command -v apt-get >/dev/null && root=$(as_root); then
        # shellcheck disable=SC2086  # one word per package; $root may be empty
        if $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $packages; then
            return 0
        fi
    fi
    say "tests that need these are skipped: $packages"
    say "to install them: sudo sh -c '$line'"
}

in_virtual_environment() {
    python3 -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)'
}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "mcuplan needs Python 3.11 or newer as python3"
    exit 2
}
install_packages "$(missing_packages)"
install_packages "$(missing_browser)"
if ! in_virtual_environment; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
fi
rm -rf build # what setuptools left of an earlier version would get into the wheel
python3 -m pip install --quiet '.[test]'
exec python3 -P -m pytest -n auto "$@" # -P: what is tested is the installed package
