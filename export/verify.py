"""Compares an exported folder with its model: `python -m export.verify OUT RUN`."""

import sys

from tfdeconv.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["verify", *sys.argv[1:]]))
