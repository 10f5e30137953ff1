"""The notify service: what members are to know into their inboxes, and from there to webhooks and e-mail."""

from __future__ import annotations

from services.notify.channels.app import assemble_channels
from services.notify.handlers import DEADLINE, MEMBER, Notifier
from services.notify.settings import NotifySettings
from services.notify.store import NotifyStore
from shared.contracts.events import DemandSearched, MatchAnswered, OrganisationRegistered, RiskAssessed
from shared.runtime.service import Service
from shared.runtime.settings import load


def assemble(service: Service, settings: NotifySettings) -> None:
    """Registers everything that the service does."""
    store = NotifyStore(service.database)
    notifier = Notifier(store, settings.patience)
    service.at_start(store.prepare)
    service.on(RiskAssessed, notifier.tell_of_matches)
    service.on(MatchAnswered, notifier.hear_answers)
    service.stage("searches", patient=True).on(DemandSearched, notifier.tell_of_searches)
    service.on(OrganisationRegistered, notifier.note_members)
    service.on_timer(DEADLINE, notifier.stop_waiting)
    service.on_timer(MEMBER, notifier.look_at_matches_of)


async def main() -> None:
    """Runs until told to stop. Raises SettingsError where the environment is wrong."""
    settings = load(NotifySettings)
    async with Service("notify", settings) as service:
        assemble(service, settings)
        assemble_channels(service, settings)
        await service.run()
