#!/usr/bin/env bash
# Makes what the Makefile's stamps stand for. usage: environment.sh tools | venv | packages LOCK... | kernel
# Names what the system lacks, with the command that installs it. PYTHON=... chooses the interpreter of .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
rust_needed=1.89

say() { printf '%s\n' "$*"; }
missing=()
lack() { missing+=("$1|$2"); }

stop_if_lacking() {
  [ ${#missing[@]} -eq 0 ] && return
  echo "Hanse cannot be built here yet:" >&2
  for entry in "${missing[@]}"; do printf '  %s\n      %s\n' "${entry%%|*}" "${entry#*|}" >&2; done
  exit 1
}

as_root() { if [ "$(id -u)" = 0 ]; then echo "$*"; else echo "sudo $*"; fi; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

# The first interpreter that is new enough and can make a virtual environment; a name on PATH that does not run is passed over.
find_python() {
  python=
  local candidate bare=
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    fits "$candidate" || continue
    if makes_venvs "$candidate"; then python=$candidate; return; fi
    bare=${bare:-$candidate}
  done
  if [ -n "$bare" ]; then
    local version; version=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    lack "$bare cannot make virtual environments" "$(as_root "apt-get install python${version}-venv")"
  else
    lack "Python 3.11 or newer" "$(as_root "apt-get install python3 python3-venv")   (or name one: make PYTHON=/path/to/python3.12 …)"
  fi
}

find_compilers() {
  command -v git >/dev/null || lack "git" "$(as_root "apt-get install git")"
  command -v cc >/dev/null || lack "a C compiler (cc)" "$(as_root "apt-get install build-essential")"
  if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    lack "Rust $rust_needed or newer (cargo, rustc)" "$(as_root "apt-get install rustup") && rustup default stable   (or https://rustup.rs)"
    return
  fi
  local rust; rust=$(rustc --version 2>&1 | awk '{print $2}')
  [ "$(printf '%s\n%s\n' "$rust_needed" "$rust" | sort -V | head -n 1)" = "$rust_needed" ] ||
    lack "Rust $rust_needed or newer (here: $rust)" "rustup update stable   (without rustup: $(as_root "apt-get install rustup") && rustup default stable)"
}

check_tools() {
  [ -w . ] || lack "write access to $PWD" "run make as the owner of this folder"
  find_compilers
  find_python
  stop_if_lacking
}

make_venv() {
  check_tools
  if [ -z "${PYTHON:-}" ] && fits .venv/bin/python && .venv/bin/python -c "import pip, sys; sys.exit(sys.prefix != '$PWD/.venv')" 2>/dev/null; then
    say "python    $(.venv/bin/python --version), the virtual environment in .venv is kept"
    return
  fi
  say "python    $("$python" --version), virtual environment in .venv"
  rm -rf .venv
  "$python" -m venv .venv
}

# uv is quick but does not read pip's configuration: hand it over, so that a configured mirror or proxy certificate holds for both.
hand_pip_settings_to_uv() {
  local key value
  while IFS='=' read -r key value; do
    value=${value#\'}; value=${value%\'}
    case "$key" in
      *.index-url) export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$value}" ;;
      *.extra-index-url) export UV_INDEX="${UV_INDEX:-${value//\\n/ }}" ;;
      *.cert) [ -f "$value" ] && export SSL_CERT_FILE="${SSL_CERT_FILE:-$value}" ;;
      *.trusted-host) export UV_INSECURE_HOST="${UV_INSECURE_HOST:-${value//\\n/ }}" ;;
    esac
  done < <(.venv/bin/python -m pip config list 2>/dev/null)
  export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
}

install_packages() {
  local asked=()
  for lock in "$@"; do asked+=(-r "requirements/$lock"); done
  say "packages  ${asked[*]}"
  if [ -x .venv/bin/uv ]; then
    hand_pip_settings_to_uv
    .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes "${asked[@]}" && return
    echo "uv could not install them; trying pip" >&2
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes "${asked[@]}"
}

build_kernel() {
  find_compilers
  stop_if_lacking
  say "kernel    cargo build --release (the first time takes about a minute)"
  VIRTUAL_ENV="$PWD/.venv" .venv/bin/maturin develop --release --locked --skip-install
  say "hanse     editable install of this folder"
  local editable=(install --quiet --no-deps --no-build-isolation --editable .)
  export VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH"
  if [ -x .venv/bin/uv ] && UV_PYTHON_DOWNLOADS=never .venv/bin/uv pip "${editable[@]}" --python .venv/bin/python; then return; fi
  .venv/bin/python -m pip "${editable[@]}" --disable-pip-version-check
}

case "${1:-}" in
  tools) check_tools ;;
  venv) make_venv ;;
  packages) shift; install_packages "$@" ;;
  kernel) build_kernel ;;
  *) sed -n '2,3p' "$0" >&2; exit 2 ;;
esac
