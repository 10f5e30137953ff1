"""The risk service's database: the latest assessment of every match, and which model versions have been published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DeleteOne, ReplaceOne

from shared.contracts.events import RiskAssessed
from shared.streaming import UnitOfWork

ASSESSMENTS = "assessments"
MODELS = "models"


class RiskStore:
    """Collections `assessments` (by match id) and `models` (by version)."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database

    async def prepare(self) -> None:
        """Creates the collections, because creating one inside a transaction makes others conflict."""
        existing = await self._database.list_collection_names()
        for name in (ASSESSMENTS, MODELS):
            if name not in existing:
                await self._database.create_collection(name)

    def keep(self, work: UnitOfWork, results: Sequence[tuple[str, RiskAssessed | None]]) -> None:
        """Keeps the last result of each match id; None removes what is there."""
        latest = dict(results)
        if not latest:
            return
        work.collection(ASSESSMENTS).write(
            [
                DeleteOne({"_id": match_id})
                if result is None
                else ReplaceOne({"_id": match_id}, _document(match_id, result), upsert=True)
                for match_id, result in latest.items()
            ]
        )

    async def is_published(self, work: UnitOfWork, version: str) -> bool:
        """Whether this model version has been published before."""
        return await work.collection(MODELS).find_one({"_id": version}) is not None

    def note_published(self, work: UnitOfWork, version: str) -> None:
        """Two instances that do this at once conflict, and one of them finds it done when it tries again."""
        work.collection(MODELS).write([ReplaceOne({"_id": version}, {"_id": version}, upsert=True)])


def _document(match_id: str, result: RiskAssessed) -> dict[str, Any]:
    proposal = result.proposal
    return {
        "_id": match_id,
        "technology": {"id": proposal.technology.id, "version": proposal.technology.version},
        "demand": {"id": proposal.demand.id, "version": proposal.demand.version},
        # The assumptions follow from the proposal and the model version; they would be most of the document.
        "result": result.assessment.model_dump(mode="json", exclude={"assumptions"}),
    }
