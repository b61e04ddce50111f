#!/usr/bin/env bash
# Install what belongs around the program, for one person: man page, completions, menu entry and
# the units of idle post-think.
#
#   packaging/install.sh [PYTHON] [PREFIX]
#
# PYTHON is the interpreter that the program is installed for (default: .venv/bin/python), PREFIX
# the place (default: ~/.local). Nothing is enabled: the last line says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${1:-../.venv/bin/python}
prefix=${2:-$HOME/.local}
program=$("$python" -c 'import pathlib, sys; print(pathlib.Path(sys.executable).with_name("assistant"))')

install -d "$prefix/share/man/man1" "$prefix/share/applications" \
  "$prefix/share/bash-completion/completions" "$prefix/share/zsh/site-functions" \
  "$prefix/share/fish/vendor_completions.d" "$prefix/share/systemd/user"

"$python" man.py >"$prefix/share/man/man1/assistant.1"
"$program" completion bash >"$prefix/share/bash-completion/completions/assistant"
"$program" completion zsh >"$prefix/share/zsh/site-functions/_assistant"
"$program" completion fish >"$prefix/share/fish/vendor_completions.d/assistant.fish"
sed "s|^Exec=.*|Exec=\"$program\"|" assistant.desktop >"$prefix/share/applications/assistant.desktop"
sed "s|@ASSISTANT@|\"$program\"|" assistant-think.service \
  >"$prefix/share/systemd/user/assistant-think.service"
cp assistant-think.timer "$prefix/share/systemd/user/assistant-think.timer"

echo "Installed below $prefix. To think while idle: systemctl --user enable --now assistant-think.timer"
