"""`python -m registry_core`: the command line."""

import sys

from slipway_cli.main import main

sys.exit(main())
