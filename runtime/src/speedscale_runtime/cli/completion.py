"""`speedctl completion bash|zsh|fish`: a completion script, made from the verbs as they are installed."""

from __future__ import annotations

import argparse
import importlib

from .root import verbs

_EPILOG = """examples:
  source <(speedctl completion bash)
  speedctl completion zsh > ~/.zfunc/_speedctl
  speedctl completion fish > ~/.config/fish/completions/speedctl.fish"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the shell argument."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell to complete in")
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    words = {name: _words(verb.module) for name, verb in verbs().items()}
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](words))
    return 0


def _words(module: str) -> list[str]:
    """The sub-commands and long flags of one verb."""
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(module).configure(parser)
    found: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += list(action.choices)
            for sub in action.choices.values():
                found += [o for a in sub._actions for o in a.option_strings if o.startswith("--")]
        elif action.option_strings:
            found += [o for o in action.option_strings if o.startswith("--")]
        elif action.choices:
            found += [str(choice) for choice in action.choices]
    return [*sorted(set(found) - {"--help"}), "--help"]


def _bash(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {verb}) words='{' '.join(flags)}' ;;" for verb, flags in words.items())
    return f"""_speedctl() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='{" ".join(words)}'
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}}
complete -F _speedctl speedctl"""


def _zsh(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {verb}) compadd -- {' '.join(flags)}; _files ;;" for verb, flags in words.items())
    return f"""#compdef speedctl
_speedctl() {{
  if (( CURRENT == 2 )); then
    compadd -- {" ".join(words)}
    return
  fi
  case "$words[2]" in
{cases}
  esac
}}
compdef _speedctl speedctl"""


def _fish(words: dict[str, list[str]]) -> str:
    lines = [f"complete -c speedctl -n __fish_use_subcommand -a '{' '.join(words)}' -f"]
    for verb, flags in words.items():
        for flag in flags:
            kind = f"-l {flag[2:]}" if flag.startswith("--") else f"-a {flag}"
            lines.append(f"complete -c speedctl -n '__fish_seen_subcommand_from {verb}' {kind}")
    return "\n".join(lines)
