"""Help that is there at once: plain text with the commands in their groups (Typer's coloured one costs 0.25 s)."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

_WHOLE = 200
"""Characters; the first sentence of every command is shorter."""


class GroupedHelp(TyperGroup):
    """Commands under the headings that `rich_help_panel` gives them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the sections, in the order in which their first commands were registered."""
        sections: dict[str, list[tuple[str, str]]] = {}
        names = self.list_commands(ctx)
        for name in names:
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            heading = getattr(command, "rich_help_panel", None)
            heading = heading if isinstance(heading, str) else "Commands"
            sections.setdefault(heading, []).append((name, command.get_short_help_str(_WHOLE)))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
