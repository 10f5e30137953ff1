"""`python -m services.gateway` runs the gateway."""

import asyncio
import sys

from services.gateway.app import main
from shared.runtime.settings import SettingsError

try:
    import uvloop
except ImportError:  # not on Windows
    run = asyncio.run
else:
    run = uvloop.run

try:
    run(main())
except SettingsError as error:
    sys.exit(str(error))
