"""lag: how far each consumer group is behind."""

from __future__ import annotations

from typing import Annotated

import typer


def lag(json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show, for each consumer group and topic, the position in MongoDB, the group offset in Kafka and the log's end.

    All are sums over the topic's partitions. `behind` is still to be processed, `unpublished` is processed and not
    yet in the log.
    """
    import asyncio
    from dataclasses import asdict, dataclass

    from tongtu.group_positions import group_positions
    from tongtu.output import say_json, show
    from tongtu.target import target

    @dataclass(slots=True)
    class Sums:
        service: str
        group: str
        topic: str
        partitions: int = 0
        position: int = 0
        group_offset: int = 0
        end: int = 0
        behind: int = 0
        unpublished: int = 0
        held: int = 0

    sums: dict[tuple[str, str], Sums] = {}
    for each in asyncio.run(group_positions(target())):
        row = sums.setdefault((each.group, each.topic), Sums(each.service, each.group, each.topic))
        row.partitions += 1
        row.position += each.next or 0
        row.group_offset += each.published or 0
        row.end += each.end or 0
        row.behind += each.behind
        row.unpublished += max(0, (each.next or 0) - (each.published or 0)) if each.published is not None else 0
        row.held += each.held is not None
    if json:
        say_json([asdict(row) for row in sums.values()])
        return
    columns = ("group", "topic", "partitions", "position", "group offset", "log end", "behind", "unpublished", "held")
    rows = [
        (r.group, r.topic, r.partitions, r.position, r.group_offset, r.end, r.behind, r.unpublished, r.held)
        for r in sums.values()
    ]
    show(columns, rows, columns[2:], nothing="no service has read anything yet: `tongtu status` shows what runs")
