"""The model version that holds: read in the transaction that uses it, built once per version."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from services.risk.assessment import RiskModel
from services.risk.shared_model import SharedModel
from services.risk.store import Current, RiskStore
from shared.streaming import UnitOfWork

MOST_KEPT = 3
"""Versions kept built: the one that holds, and those of a poll that is tried again."""


class Models:
    """Model versions, ready to assess with. What they say never changes, so they may be kept in memory.

    By fingerprint too: a transaction that is aborted may have made a version of this name that never was.
    """

    def __init__(self, store: RiskStore) -> None:
        self._store = store
        self._built: OrderedDict[tuple[str, str], RiskModel] = OrderedDict()

    async def built(self, work: UnitOfWork, current: Current) -> RiskModel:
        """The version that holds."""
        key = current.version, current.fingerprint
        built = self._built.get(key)
        if built is None:
            definition = await self._store.definition(work, current.version)
            built = await asyncio.to_thread(lambda: RiskModel(SharedModel.model_validate_json(definition)))
            self._built[key] = built
        self._built.move_to_end(key)
        while len(self._built) > MOST_KEPT:
            self._built.popitem(last=False)
        return built
