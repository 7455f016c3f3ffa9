"""What stands before a command, or in its place: options are handed on, files are scanned."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from diagnoser.cli.wildcards import are_wildcards
from diagnoser.errors import UsageError

if TYPE_CHECKING:
    import typer


class Entrance(TyperGroup):
    """The commands, and ``diagnoser error.txt``, which means ``diagnoser scan error.txt``."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As click does it; an option that only commands have is told where it belongs."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # typer exports no NoSuchOption; only that one, of an option of a command, is retold.
            option = getattr(error, "option_name", None)
            owners = [
                n for n, c in self.commands.items() if any(option in p.opts for p in c.params)
            ]
            own = any(option in p.opts for p in self.params)
            if option is None or own or not owners:
                raise
            raise UsageError(
                f"{option} is an option of {' and '.join(owners)}",
                hint=f"put it behind the command: diagnoser {owners[0]} {option} …",
            ) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names, or ``scan`` with it if it names a file.

        Raises ``UsageError`` where it names neither.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            is_file = name == "-" or os.path.lexists(name) or are_wildcards(name, os.name)
            if not is_file:
                raise UsageError(
                    f"{name!r} is neither a command nor a file", hint=self._hint(ctx, name)
                )
            return "scan", self.get_command(ctx, "scan"), args
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: Any, name: str) -> str:
        close = get_close_matches(name, self.list_commands(ctx), 1)
        if close:
            return f"did you mean diagnoser {close[0]}?"
        return _INSTEAD


_INSTEAD = "diagnoser scan FILE reads a file, diagnoser --help lists the commands"


def hand_on(context: typer.Context) -> None:
    """Options given before a command are its own where it has them; its own values win.

    Raises ``UsageError`` for one that the command has not: silence would let ``--offline`` probe.
    """
    name = context.invoked_subcommand
    group = context.command
    if name is None or not isinstance(group, TyperGroup):
        return
    command = group.commands[name]
    known = {p.name for p in command.params if p.param_type_name == "option"}
    given: dict[str, object] = {}
    for parameter in group.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name is None or source is None or source.name != "COMMANDLINE":
            continue
        if parameter.name not in known:
            option = max(parameter.opts, key=len)
            raise UsageError(
                f"{name} has no option {option}",
                hint=f"omit it; diagnoser {name} --help lists what {name} takes",
            )
        given[parameter.name] = context.params[parameter.name]
    # What click itself asks for the defaults of a command (Context.default_map).
    context.default_map = {**(context.default_map or {}), name: given}
