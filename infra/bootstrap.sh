#!/usr/bin/env bash
# Make this checkout ready to run: Debian packages, uv, and .venv from requirements.lock.
# Safe to repeat; says nothing and starts nothing when there is nothing to do. With `--tests` also what only tests need,
# with `--packages` the Debian packages alone (images are made so).
set -euo pipefail
cd "$(dirname "$0")/.."

# What the embedded profile calls as programs of their own, and the language data Apertium needs.
programs=(ffmpeg ffprobe espeak-ng flite apertium)
packages=(ffmpeg espeak-ng flite apertium apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-es-pt
  apertium-spa-ita apertium-fr-es fonts-dejavu-core ca-certificates)

# The report is read by a real browser; elsewhere than on Debian its package is a stub, and those tests are skipped.
if [ "${1:-}" = --tests ]; then packages+=(postgresql redis-server); fi
if [ "${1:-}" = --tests ] && grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then packages+=(chromium); fi

say() { printf '%s\n' "$*" >&2; }

lacking_packages() {
  local package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || printf '%s\n' "$package"
  done
}

install_packages() {
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "These Debian packages are missing and neither root nor sudo is at hand: $*"; exit 1; }
    sudo=(sudo)
  fi
  say "Installing $*"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  mapfile -t lacking < <(lacking_packages)
  [ "${#lacking[@]}" -eq 0 ] || install_packages "${lacking[@]}"
else
  absent=()
  for program in "${programs[@]}"; do command -v "$program" >/dev/null || absent+=("$program"); done
  if [ "${#absent[@]}" -gt 0 ]; then
    say "This system has no apt. Install these programs with its own package manager, then run make again: ${absent[*]}"
    say "Apertium also needs its English-Spanish, English-Catalan, English-Galician, Spanish-Portuguese, Spanish-Italian and French-Spanish data."
    exit 1
  fi
fi

[ "${1:-}" != --packages ] || exit 0

# A Python that can hold the lock: 3.11, or 3.12 where that is what there is.
python=
for candidate in python3.11 python3.12 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
    python=$(command -v "$candidate")
    break
  fi
done
[ -n "$python" ] || { say "dubflow needs Python 3.11 or 3.12; install one of them and run make again."; exit 1; }

# Debian's name of a part of that Python, such as python3.11-venv.
of_python() { "$python" -c 'import sys; print("python%d.%d-%s" % (*sys.version_info[:2], sys.argv[1]))' "$1"; }

uv=$(command -v uv || true)
if [ -z "$uv" ] || ! "$uv" --version >/dev/null 2>&1; then
  uv=.tools/bin/uv
  if [ ! -x "$uv" ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      command -v apt-get >/dev/null || { say "Python's venv module is missing; install it and run make again."; exit 1; }
      install_packages "$(of_python venv)"
    fi
    say "Installing uv into .tools"
    "$python" -m venv .tools
    .tools/bin/pip install -q uv
  fi
fi

# The stamp holds what the environment was made from; a changed lock or project makes it anew.
stamp=.venv/made-from
now=$(cat requirements.lock pyproject.toml | sha256sum)
if [ ! -x .venv/bin/dub ] || [ "$(cat "$stamp" 2>/dev/null)" != "$now" ]; then
  say "Installing the Python environment into .venv (about 8 GB, a minute or two)"
  # pyworld and webrtcvad come as source only, so they want a compiler and this Python's headers.
  building=()
  command -v g++ >/dev/null || building+=(g++)
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    building+=("$(of_python dev)")
  if [ "${#building[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || { say "A C++ compiler and Python's headers are missing (${building[*]} in Debian); install them and run make again."; exit 1; }
    install_packages "${building[@]}"
  fi
  [ -x .venv/bin/python ] || "$uv" venv -q --python "$python" .venv
  VIRTUAL_ENV=.venv "$uv" pip sync -q --require-hashes requirements.lock
  VIRTUAL_ENV=.venv "$uv" pip install -q --no-deps --editable .
  # Bytecode of what every run loads: where Python may not write it later, each process would compile it anew.
  env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -W ignore -c "import prefect.server.api.server" >/dev/null 2>&1 &
  env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -W ignore -c "
from manifests.quiet import settle
settle()
import clarabel, numpy, pandas, pyannote.audio, pydantic, python_stretch, scipy.signal, soundfile, typer
import flows.running, tasks.assemble" >/dev/null 2>&1 || true
  wait
  printf '%s' "$now" > "$stamp"
fi
