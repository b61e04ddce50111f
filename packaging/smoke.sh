#!/usr/bin/env bash
# A clean machine in small: build the wheel, install it alone into a fresh environment, and run the
# commands that need no model. It must work outside the checkout, and leave nothing behind.
#
#   packaging/smoke.sh [PYTHON]
#
# PYTHON (default: python3) makes the fresh environment. Dependencies come from the package index,
# or from a folder of wheels named in PIP_FIND_LINKS; llama-cpp-python is built once if there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ASSISTANT_DATA_DIR="$work/data"

step() { printf '\n== %s\n' "$*"; }

step "wheel"
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" wheel --quiet --no-deps --wheel-dir "$work/wheels" \
  --config-settings=build-dir="$work/build" .
ls "$work"/wheels/assistant-*.whl

step "install"
"$work/venv/bin/pip" install --quiet "$work"/wheels/assistant-*.whl

cd "$work" # the checkout must not be importable from here
program="$work/venv/bin/assistant"

step "assistant --version"
"$program" --version
step "assistant models list"
"$program" models list --json | "$work/venv/bin/python" -c '
import json, sys
models = json.load(sys.stdin)["models"]
assert any(model["default"] for model in models) and not any(model["installed"] for model in models)
print(len(models), "models, none installed")'
step "assistant ask, with no model: exit 3"
code=0
"$program" ask --no-input "Hello" </dev/null || code=$?
[ "$code" -eq 3 ] || { echo "exit $code in place of 3"; exit 1; }
step "assistant doctor"
code=0
"$program" doctor || code=$?
[ "$code" -eq 0 ] || [ "$code" -eq 3 ] || { echo "doctor ended in $code"; exit 1; }
step "the native library is in the wheel"
"$work/venv/bin/python" -c '
import ctypes, pathlib, assistant
folder = pathlib.Path(assistant.__file__).parent
assert not str(folder).startswith("'"$OLDPWD"'"), folder
(library,) = [p for p in (folder / "_native").iterdir() if p.suffix in (".so", ".dylib")]
ctypes.CDLL(str(library))
print(library.name, library.stat().st_size, "bytes")'
step "done"
