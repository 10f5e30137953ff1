"""The risk service: proposals in, proposals with their risk out."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from services.risk.assessment import RiskModel
from services.risk.handlers import Assessor
from services.risk.settings import RiskSettings
from services.risk.shared_model import SharedModel
from services.risk.store import RiskStore
from shared.contracts.events import MatchProposed
from shared.runtime.service import Service
from shared.runtime.settings import load


def assemble(service: Service, settings: RiskSettings) -> None:
    """Registers everything that the service does."""
    store = RiskStore(service.database)
    assessor = Assessor(RiskModel(SharedModel.load(settings.model)), store)
    service.at_start(store.prepare)
    service.on(MatchProposed, assessor.assess)


async def main() -> None:
    """Runs until told to stop. Raises SettingsError where the environment is wrong."""
    settings = load(RiskSettings)
    threadpool_limits(1)  # numpy's own threads spin while they wait, at the cost of the other services
    async with Service("risk", settings) as service:
        assemble(service, settings)
        await service.run()
