"""`python -m slipway_cli`: the command line."""

import sys

from slipway_cli.main import main

sys.exit(main())
