"""The shell snippet that finds mlrtui on another machine and becomes it, in the one round trip of the ssh that runs it.

A shell that ssh starts reads no profile, so that an mlrtui in an environment of its own is not on its PATH. A file
beside the store leads to a program only if it is the user's own: others may be able to write there.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence

__all__ = ["backup_command", "remote_command"]

# $1 is the path, $2 the command that the user gave, $3 what to print when nothing is found; then come mlrtui's words.
_SCRIPT = r"""
p=$1; given=$2; none=$3; shift 3;
# a leading ~ or ~user, which quoting has kept from the shell
case ${p%%/*} in
  *[!A-Za-z0-9._~-]*) ;;
  "~"*) home=$(eval echo "${p%%/*}"); case $p in */*) p=$home/${p#*/};; *) p=$home;; esac;;
esac;
# neither an option nor, to the mlrtui there, an address
case $p in /*) ;; *) p=./$p;; esac;
set -- "$@" "$p";
if [ -n "$given" ]; then eval "$given "'"$@"'; exit $?; fi;
q=$(readlink -f -- "$p" 2>/dev/null); q=${q:-$p}; python=;
# the Python of the driver at work, else of the last one
if [ -O "$q.lock" ]; then python=$(sed -n 's/.*"python": "\([^"]*\)".*/\1/p' "$q.lock" | head -n 1); fi;
if [ ! -x "$python" ] && [ -O "$q.log" ]; then
  python=$(sed -n 's/^[-0-9]* [:0-9]* mlrtui [^ ]* runs with //p' "$q.log" | tail -n 1);
fi;
if [ -f "$python" ] && [ -x "$python" ]; then
  if [ -x "${python%/*}/mlrtui" ]; then exec "${python%/*}/mlrtui" "$@"; fi;
  exec "$python" -P -m mlrtui.cli "$@";
fi;
folder=${q%/*}; if [ -d "$q" ]; then folder=$q; fi; m=$folder/.venv/bin/mlrtui;
if [ -x "$m" ] && [ -O "$m" ]; then exec "$m" "$@"; fi;
for m in "$(command -v mlrtui)" "$HOME/.local/bin/mlrtui"; do if [ -x "$m" ]; then exec "$m" "$@"; fi; done;
# a login shell, whose profile may print what nobody asked for
if bash -lc 'command -v mlrtui' >/dev/null 2>&1 </dev/null; then
  exec bash -lc 'exec 1>&3 3>&-; exec mlrtui "$@"' mlrtui "$@" 3>&1 1>&2;
fi;
echo "$none" >&2; exit 2
"""
_LINES = (line.strip() for line in _SCRIPT.splitlines())
_SNIPPET = " ".join(line for line in _LINES if line and not line.startswith("#"))
"""On one line: the login shell, which only passes it on, may be csh."""


def remote_command(
    words: Sequence[str], path: str, *, given: str = "", missing: str = "", environment: Mapping[str, str]
) -> str:
    """The command for ssh that runs mlrtui with these words and the path behind them.

    Args:
        words: of mlrtui's command line; the path becomes the last one.
        path: there; a leading ``~`` is expanded there.
        given: a shell command that runs mlrtui there, where the user names one.
        missing: the sentence that is printed, with exit code 2, when no mlrtui is found.
        environment: variables that it gets.
    """
    assignments = [f"{name}={value}" for name, value in environment.items()]
    return shlex.join(["exec", "env", *assignments, "sh", "-c", _SNIPPET, "mlrtui", path, given, missing, *words])


_FOLDER = "FOLDER-OF-THE-COPY"
"""A word that no quoting changes, in place of what only the shell there knows."""


def backup_command(command: Callable[[Sequence[str]], str]) -> str:
    """The command for ssh that copies a store into a folder of its own there, prints the copy gzipped and removes it.

    ``command`` gives the one that runs mlrtui with some words and the store's path.
    """
    backup = command(["backup", f"{_FOLDER}/copy.db", "--store"]).replace(_FOLDER, '"$folder"')
    script = (
        "folder=$(mktemp -d) || exit 1; trap 'rm -rf \"$folder\"' EXIT; trap 'exit 1' HUP INT TERM PIPE; "
        f'( {backup} ) >&2 && gzip -1 < "$folder/copy.db"'
    )
    return shlex.join(["exec", "sh", "-c", script])
