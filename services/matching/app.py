"""The matching service: records in, proposals out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from threadpoolctl import threadpool_limits

from services.matching.answers import WorkItem
from services.matching.embedding import Embedder
from services.matching.handlers import Encoder, Organisations
from services.matching.keeping import Keeper
from services.matching.matcher import CONTINUATION, Matcher
from services.matching.settings import MatchingSettings
from services.matching.snapshots import Snapshots
from services.matching.statistics import Model
from services.matching.store import MatchingStore
from services.matching.work import WorkRecord
from shared.contracts.events import DemandPosted, MatchAnswered, OrganisationRegistered, TechnologySubmitted
from shared.runtime.service import Service
from shared.runtime.settings import load
from shared.runtime.topics import load_topics


def assemble(service: Service, settings: MatchingSettings, shards: int | None = None) -> Matcher:
    """Registers everything that the service does, in two stages; the matcher is to be closed after the last event.

    `shards`: the default is what topics.yaml says.
    """
    model = Model.load()
    store = MatchingStore(service.database, model.method)
    secret = settings.secret.get_secret_value() if settings.secret else None
    keeper = Keeper(Snapshots(settings.snapshots)) if settings.snapshots else None
    matcher = Matcher(model, store, settings.threshold, settings.most, secret, keeper)
    shards = shards or load_topics().partitions(WorkRecord.topic)
    encoder = Encoder(Embedder(settings.threads), shards, settings.encodes)

    async def take_over(partitions: Collection[Any]) -> None:
        topic = f"{settings.prefix}{WorkRecord.topic}"
        await matcher.take_over({partition.partition for partition in partitions if partition.topic == topic})

    service.at_start(matcher.prepare)
    encode = service.stage("encode")
    encode.on(TechnologySubmitted, encoder.encode_technologies)
    encode.on(DemandPosted, encoder.encode_demands)
    encode.on(MatchAnswered, encoder.pass_answers_on)
    service.on(OrganisationRegistered, Organisations(store).remember)
    service.on_topic(WorkRecord.topic, WorkItem, matcher.match)
    service.on_timer(CONTINUATION, matcher.finish)
    service.at_takeover(take_over)
    return matcher


async def main() -> None:
    """Runs until told to stop. Raises SettingsError where the environment is wrong."""
    settings = load(MatchingSettings)
    threadpool_limits(settings.threads)
    async with Service("matching", settings) as service:
        matcher = assemble(service, settings)
        await service.run()
        await matcher.close()
