"""Composition root of intake: `python -m services.intake` runs it."""

from functools import partial

from services.intake import store
from services.intake.handlers import EXPIRY, WAITING, Intake
from services.intake.settings import IntakeSettings
from shared.contracts.events import MatchProposed
from shared.runtime.service import Service
from shared.runtime.settings import load

OUTBOXES = r"^member\.[a-z0-9-]+\.outbox$"


async def main() -> None:
    """Runs intake until it is told to stop."""
    settings = load(IntakeSettings)
    async with Service("intake", settings) as service:
        compose(service, settings)
        await service.run()


def compose(service: Service, settings: IntakeSettings) -> None:
    """Connects intake's handlers to what they hear."""
    intake = Intake(settings.match_wait)
    service.at_start(partial(store.prepare, service.database, settings.remember))
    service.on_raw(OUTBOXES, intake.receive)
    service.stage("parties", patient=True).on(MatchProposed, intake.learn_parties)
    service.on_timer(EXPIRY, intake.expire)
    service.on_timer(WAITING, intake.look_again)
