"""Settings of the matching service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretBytes

from shared.runtime.settings import ServiceSettings


class MatchingSettings(ServiceSettings):
    """Environment variables of the matching service, besides those of every service."""

    threshold: Annotated[
        float, Field(gt=0, lt=1, validation_alias=AliasChoices("TONGTU_MATCHING_THRESHOLD", "threshold"))
    ] = 0.1
    """The least score that is proposed: one chance in ten. docs/matching.md says what it lets through."""
    most: Annotated[int, Field(ge=1, le=100, validation_alias=AliasChoices("TONGTU_MATCHING_MOST", "most"))] = 10
    """Proposals for one demand at most."""
    secret: Annotated[
        SecretBytes | None, Field(min_length=16, validation_alias=AliasChoices("TONGTU_MATCHING_SECRET", "secret"))
    ] = None
    """Key of the match ids, at least 16 bytes, the same for ever; by default made once and kept in the database."""
    threads: Annotated[int, Field(ge=1, le=64, validation_alias=AliasChoices("TONGTU_MATCHING_THREADS", "threads"))] = 1
    """Threads that compute one embedding or one product of matrices. numpy's own default, all cores, spins while it
    waits: it took as much of a processor again as everything else here (bench.latency)."""
    encodes: Annotated[int, Field(ge=1, le=64, validation_alias=AliasChoices("TONGTU_MATCHING_ENCODES", "encodes"))] = 2
    """Records that are analysed and embedded at a time, each on a core of its own."""
    snapshots: Annotated[
        Path | None, Field(validation_alias=AliasChoices("TONGTU_MATCHING_SNAPSHOTS", "snapshots"))
    ] = None
    """Folder on a local disk for what a shard holds in memory (some 1.3 GB for a million technologies), so that a
    restart reads only later changes from MongoDB; by default a shard is loaded from MongoDB alone."""
    max_records: Annotated[
        int, Field(ge=1, le=2_000, validation_alias=AliasChoices("TONGTU_MATCHING_MAX_RECORDS", "max_records"))
    ] = 250
    """Records in one poll: an embedding takes 2 to 8 ms, and a stop waits for the poll in hand."""
