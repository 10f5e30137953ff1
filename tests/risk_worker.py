"""`python -m tests.risk_worker [METHOD WHEN]`: the risk service in a process that ends itself around a call."""

from __future__ import annotations

import asyncio
import sys

from services.risk.app import assemble
from services.risk.settings import RiskSettings
from shared.runtime.service import Service
from shared.runtime.settings import load
from shared.streaming.options import Options
from tests.core_worker import Kill

QUICK = Options(tick_seconds=0.05, backoff_limit_seconds=0.5)


async def main() -> None:
    """Serves until SIGTERM, or until it kills itself."""
    settings = load(RiskSettings)
    async with Service("risk", settings, options=QUICK) as service:
        assemble(service, settings)
        await service.run()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        Kill(sys.argv[1], sys.argv[2]).arm()
    asyncio.run(main())
