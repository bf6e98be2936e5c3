# Sourced by scripts/quickstart and scripts/test: makes $venv from a file of versions, once, and again when these files change.
# Usage: source scripts/environment.sh; prepare_environment EXTRAS [VERSIONS]
# EXTRAS is empty or e.g. "dev,oracle"; VERSIONS is constraints.txt (the default) or constraints-adapters.txt.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${ADAPTERXFER_VENV:-$root/.venv}"

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3 python; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return 0
    fi
  done
  echo "adapterxfer needs Python 3.11 or newer with the venv module; fix: install it, or set PYTHON=/path/to/python" >&2
  return 2
}

prepare_environment() {
  local extras="$1" versions="$root/${2:-constraints.txt}" python stamp wanted target
  stamp="$venv/.adapterxfer-installed${extras:+-${extras//,/-}}"
  wanted="$(cat "$root/pyproject.toml" "$versions" | cksum) $root"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    return 0
  fi
  python="$(find_python)" || return 2
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  target="$root${extras:+[$extras]}"
  echo "installing into $venv (a few minutes the first time; log: $venv/install.log)"
  # The pip that comes with Python may be one that fetches gigabytes only to say what it would install.
  if ! "$venv/bin/python" -m pip install --disable-pip-version-check --upgrade "pip>=26.3" >"$venv/install.log" 2>&1; then
    tail -n 20 "$venv/install.log" >&2
    echo "installation failed; fix: read $venv/install.log, then run this script again" >&2
    return 1
  fi
  # torch first and pinned: left to a dependency it would be another version, and the GPU build where there is no GPU.
  local torch_options
  torch_options="$("$venv/bin/python" "$root/scripts/torch_build.py" "$(pinned torch "$versions")")" || return 1
  # shellcheck disable=SC2086  # options, none or two
  if ! { "$venv/bin/python" -m pip install --disable-pip-version-check -c "$versions" $torch_options "torch==$(pinned torch "$versions")" &&
    "$venv/bin/python" -m pip install --disable-pip-version-check -c "$versions" -e "$target"; } >"$venv/install.log" 2>&1; then
    tail -n 20 "$venv/install.log" >&2
    echo "installation failed; fix: read $venv/install.log, then run this script again" >&2
    return 1
  fi
  echo "$wanted" >"$stamp"
}

pinned() {
  sed -n "s/^$1==//p" "$2"
}
