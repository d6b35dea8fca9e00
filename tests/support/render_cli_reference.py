"""docs/reference/command-line.md, rendered from the commands themselves.

Refresh it after a change of a command: ``python -m tests.support.render_cli_reference``.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from scripts.cli import root

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"

_HEAD = """# Command line

Written by `python -m tests.support.render_cli_reference` from the commands themselves; a test compares. `-h` is short
for `--help`, which every command has. Data goes to stdout, everything else to stderr; what each
[exit code](exit-codes.md) means is the same everywhere."""
_WIDTH = 118


def command_tree() -> dict[str, click.Command]:
    """Return every command by its full name (``tagbox labels check``), groups before their members."""
    return dict(_walk("tagbox", root, None))


def render() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for name, command in command_tree().items():
        parts += _section(name, command)
    return "\n\n".join(parts) + "\n"


def option_names(command: click.Command) -> set[str]:
    """Return the long options that a command takes, ``--help`` among them."""
    names = {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}
    return {name for name in names if name.startswith("--")} | {"--help"}


def _walk(name: str, command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent)
        for word in command.list_commands(context):
            member = command.get_command(context, word)
            assert member is not None
            yield from _walk(f"{name} {word}", member, context)


def _section(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield f"{'##' if name.count(' ') < 2 else '###'} {name}"
    yield f"```text\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```"
    yield from _paragraphs(command.help or "")
    rows = [row for parameter in command.params if (row := _row(parameter, context))]
    if rows:
        yield "| option | what it does |\n|---|---|\n" + "\n".join(rows)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(text).strip()):
        verbatim = paragraph.removeprefix("\b\n")
        if verbatim != paragraph:
            yield f"```text\n{verbatim}\n```"
        else:
            # A code span keeps what would otherwise be taken for HTML.
            plain = re.sub(r"[\w/.]*<[a-z]+>[^\s()]*[^\s().,;:]", r"`\g<0>`", " ".join(paragraph.split()))
            yield textwrap.fill(plain, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _row(parameter: click.Parameter, context: click.Context) -> str | None:
    if not isinstance(parameter, click.Option) or parameter.hidden:
        return None
    described = parameter.get_help_record(context)
    assert described is not None
    words, meaning = described
    return f"| `{_cell(words)}` | {_cell(meaning).replace('<', '&lt;')} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
