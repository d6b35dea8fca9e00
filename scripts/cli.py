"""The root of the command line: imports a command only when it is the one called."""

import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path

import click

from collectors.errors import TagboxError
from scripts import exit_codes

# name -> (module, attribute, one line of help). The help stands here so that `tagbox --help` imports no command.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("scripts.commands.demo", "demo", "The whole way on drawings it makes itself, offline, in minutes."),
    "collect": ("scripts.commands.collect", "collect", "Fetch pictures of a tag, with a ledger of all that was seen."),
    "labels": ("scripts.commands.labels", "labels", "Check, place and look at labelled pictures."),
    "records": ("scripts.commands.records", "records", "Build, verify, compare and show TFRecords."),
    "train": ("scripts.commands.train", "train", "Train a detector from a pipeline config."),
    "eval": ("scripts.commands.evaluate", "evaluate", "Evaluate a run on its verification records."),
    "predict": ("scripts.commands.predict", "predict", "Find objects in pictures and draw them."),
    "export": ("scripts.commands.export", "export", "Write model files out of a run: SavedModel, TFLite, ONNX..."),
    "board": ("scripts.commands.board", "board", "Open TensorBoard on the runs."),
    "weights": ("scripts.commands.weights", "weights", "Check and fetch weights to start from."),
    "runs": ("scripts.commands.runs", "runs", "List, show and compare runs."),
    "cloud": ("scripts.commands.cloud", "cloud", "Write the file of a training job in the cloud."),
    "config": ("scripts.commands.config", "config", "List, show and check pipeline configs."),
}


_INTERRUPTED = "interrupted; what was finished is kept: run the same command again to go on"


class _LazyGroup(click.Group):
    """A click group that knows the names of its commands and imports the one asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], _COMMANDS, n=1) if args and args[0] not in _COMMANDS else []
        if near:
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{near[0]}'?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tagbox", message="tagbox %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a problem.")
def root(debug: bool) -> None:
    """From a tag to a trained detector.

    Collect tagged pictures, check the labels drawn in LabelImg, build one training and one verification
    TFRecord a class, then train, evaluate and look at an SSD MobileNet detector.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with one of `exit_codes`.

    Args:
        arguments: The words after ``tagbox``; ``None`` takes them from the process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words[:1]
    _refuse_shadowed_folders()
    try:
        result = root.main(words, prog_name="tagbox", standalone_mode=False)
        code = result if isinstance(result, int) else exit_codes.DONE
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        click.echo(_INTERRUPTED, err=True)
        code = exit_codes.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = exit_codes.USAGE
    except KeyboardInterrupt:
        click.echo(_INTERRUPTED, err=True)
        code = exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) went away: nothing to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exit_codes.DONE
    except TagboxError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"error: {error}", err=True)
        code = exit_codes.code_of(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a user
        if debug:
            traceback.print_exc()
        click.echo(
            f"error: tagbox has a bug: {type(error).__name__}: {error}. "
            "Please report it with the output of: tagbox --debug " + " ".join(words),
            err=True,
        )
        code = exit_codes.BUG
    sys.exit(code)


def _refuse_shadowed_folders() -> None:
    """Say so plainly when another distribution's `records`, `pipelines`... stands before ours on the path."""
    home = Path(__file__).resolve().parent.parent
    for name in ("collectors", "labeling", "records", "pipelines"):
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or home not in origin.parents:
            click.echo(
                f"error: the package `{name}` of tagbox is hidden by {origin or 'nothing importable'}. "
                "Install tagbox into an environment of its own: make setup",
                err=True,
            )
            sys.exit(exit_codes.USAGE)
