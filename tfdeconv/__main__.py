"""`python -m tfdeconv`: the same command as `tfdeconv`."""

import sys

from tfdeconv.cli.main import main

sys.exit(main())
