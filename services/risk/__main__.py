"""`python -m services.risk` runs the risk service."""

import asyncio
import sys

from services.risk.app import main
from shared.runtime.settings import SettingsError

try:
    asyncio.run(main())
except SettingsError as error:
    sys.exit(str(error))
