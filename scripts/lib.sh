# shellcheck shell=bash disable=SC2034
# What the other scripts share: where things are, how to speak, how to become root. Source it, do not run it.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
EXTENSION=codeverify
PGRX_VERSION=0.18.1
DEBIAN_PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
PG_CONFIG=${PG_CONFIG:-$DEBIAN_PG_CONFIG}

# sudo and cron clear PATH: a Rust that rustup installed is found nevertheless. A tool kept in the checkout wins.
[[ -z ${HOME:-} ]] || PATH=$PATH:$HOME/.cargo/bin
PATH=$ROOT/.tools/bin:$PATH
export PATH

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*"
    fi
}

supported_majors() { sed -nE 's/^pg([0-9]+) = .*/\1/p' "$ROOT/Cargo.toml" | paste -sd ' '; }

require_pg_config() {
    [[ -x $PG_CONFIG ]] || die "no pg_config at $PG_CONFIG: run scripts/setup, or name yours with PG_CONFIG=..."
    grep -q "^pg$(pg_major) = " "$ROOT/Cargo.toml" ||
        die "$("$PG_CONFIG" --version) at $PG_CONFIG: the versions that it builds for are $(supported_majors)"
}

# 15 for "PostgreSQL 15.20 (Debian ...)".
pg_major() { "$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

# The library is built for one major version, which cargo pgrx finds out by itself, and cargo has to be told.
cargo_for_server() { cargo "$1" --no-default-features --features "pg$(pg_major)" "${@:2}"; }
