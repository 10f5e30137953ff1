"""lag: how far each consumer group is behind."""

from __future__ import annotations

from typing import Annotated

import typer


def lag(json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show, for each consumer group and topic, the position in MongoDB, the group offset in Kafka and the log's end.

    All are sums over the topic's partitions. `behind` is still to be processed, `unpublished` is processed and not
    yet in the log. The members' outboxes are one line; --json and `positions list` have each.
    """
    import asyncio
    from dataclasses import asdict

    from tongtu.group_positions import group_positions, sums
    from tongtu.output import say_json, show
    from tongtu.target import target

    positions = asyncio.run(group_positions(target()))
    if json:
        say_json([asdict(row) for row in sums(positions)])
        return
    columns = ("group", "topic", "partitions", "position", "group offset", "log end", "behind", "unpublished", "held")
    rows = [
        (r.group, r.topic, r.partitions, r.position, r.group_offset, r.end, r.behind, r.unpublished, r.held)
        for r in sums(positions, members_together=True)
    ]
    show(columns, rows, columns[2:], nothing="no service has read anything yet: `tongtu status` shows what runs")
