"""The risk service: proposals in, proposals with their risk out; outcomes in, a better model out."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from services.risk.handlers import Assessor
from services.risk.learner import PLACING, REASSESSMENT, Learner
from services.risk.settings import RiskSettings
from services.risk.shared_model import SharedModel
from services.risk.store import RiskStore
from shared.contracts.events import MatchProposed, OutcomeRecorded
from shared.runtime.service import Service
from shared.runtime.settings import load


def assemble(service: Service, settings: RiskSettings) -> None:
    """Registers everything that the service does."""
    store = RiskStore(service.database)
    learner = Learner(store)
    assessor = Assessor(store, learner, settings.reassessment_batch)
    base = SharedModel.load(settings.model).model_dump_json(exclude_defaults=True)
    service.at_start(lambda: store.prepare(base))
    service.on(MatchProposed, assessor.assess)
    service.on(OutcomeRecorded, learner.learn)
    service.on_timer(REASSESSMENT, assessor.assess_again)
    service.on_timer(PLACING, learner.place)


async def main() -> None:
    """Runs until told to stop. Raises SettingsError where the environment is wrong."""
    settings = load(RiskSettings)
    threadpool_limits(1)  # numpy's own threads spin while they wait, at the cost of the other services
    async with Service("risk", settings) as service:
        assemble(service, settings)
        await service.run()
