"""A group that is a command as well: `tongtu risk MATCH_ID` beside `tongtu risk assess`."""

from __future__ import annotations

from typing import Any

from tongtu.help import GroupedHelp


class GroupWithDefault(GroupedHelp):
    """Runs its hidden command, the only one, where the first word names none of the others."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the hidden command's name first, unless another command or only help is asked for."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [next(name for name, command in self.commands.items() if command.hidden), *args]
        return super().parse_args(ctx, args)
