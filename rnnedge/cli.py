"""The ``rnnedge`` command: its sub-commands load when they are called, so that ``--help`` is instant."""

from __future__ import annotations

import errno
import importlib
import logging
from typing import Any

import click

from rnnedge import __version__
from rnnedge_device.errors import InputError

# name: the line in the list of commands. The command itself is rnnedge.commands.<name>:command.
COMMANDS = {
    "demo": "Train, quantise, pack and stream in one go.",
    "train": "Train a recipe's model.",
    "quantize": "Turn a trained model into an int8 bundle.",
    "evaluate": "Score a bundle or a model on labelled images, clips or captions.",
    "caption": "Say what photos show.",
    "inspect": "Show what is inside a bundle or a .tflite file.",
    "deploy": "Put a bundle on a device.",
    "sign": "Sign a bundle, or make a key to sign with.",
    "recipes": "List the recipes, or print one.",
}


class BadInput(click.ClickException):
    """One message and exit code 2, without a traceback."""

    exit_code = 2


class LazyGroup(click.Group):
    """Lists :data:`COMMANDS`, imports one when it runs, and turns bad input into one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"rnnedge.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise BadInput(str(error)) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS):
                raise
            where = f" ({error.filename})" if error.filename else ""
            raise BadInput(
                f"cannot write{where}: {error.strerror}; files that were there before are whole"
            ) from error
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Recurrent vision models: train, quantise to int8, run live.

    \b
    Example:
      rnnedge train digits-lstm --out runs/digits
      rnnedge quantize runs/digits
      rnnedge evaluate runs/digits/digits-lstm.rnnedge --data digits --split test
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
