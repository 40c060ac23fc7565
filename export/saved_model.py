"""Writes a SavedModel for a model server: `python -m export.saved_model RUN OUT`."""

import sys

from tfdeconv.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
