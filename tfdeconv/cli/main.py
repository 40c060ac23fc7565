"""The command `tfdeconv`: finds the sub-command, runs it, and tells mistakes in one sentence.

Nothing heavy is imported before a sub-command runs, so that `--help` answers at once.
"""

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from tfdeconv import processor
from tfdeconv.errors import UserError
from tfdeconv.version import __version__

# In the order of use, which is also the order of `--help`.
COMMANDS = (
    "demo",
    "draw",
    "check",
    "propose",
    "train",
    "recalibrate",
    "import",
    "import-caffe",
    "evaluate",
    "segment",
    "visualize",
    "cam",
    "lesion",
    "walkthrough",
    "export",
    "verify",
)
WITHOUT_TENSORFLOW = ("draw", "import", "propose")

EPILOG = """\
Start with `tfdeconv demo`, or on data of your own (PASCAL VOC layout):
  tfdeconv check DATA
  tfdeconv train stage1 DATA --out runs/stage1
  tfdeconv propose DATA --out proposals.npz
  tfdeconv train stage2 DATA --out runs/stage2 --init runs/stage1 --proposals proposals.npz
  tfdeconv evaluate runs/stage2 DATA
  tfdeconv segment runs/stage2 photo.jpg --out segmented --overlay
  tfdeconv export runs/stage2 served
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The words behind `tfdeconv`; those of the process by default.

    Returns:
        The exit status: 0 done, 1 failed, 2 wrong usage.
    """
    parsed = _parser().parse_args(arguments)
    try:
        # Where a server does the work, it is not needed either.
        served = getattr(parsed, "url", None) is not None
        if parsed.command not in WITHOUT_TENSORFLOW and not served:
            _start_tensorflow()
        return parsed.run(parsed) or 0
    except UserError as error:
        print(f"tfdeconv: error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"tfdeconv: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("tfdeconv: interrupted", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfdeconv",
        description="Semantic segmentation with DeconvNet (Noh, Hong, Han; ICCV 2015).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tfdeconv {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    for name in COMMANDS:
        # `import` is no name for a module.
        module_name = "import_data" if name == "import" else name.replace("-", "_")
        module = importlib.import_module(f"tfdeconv.cli.{module_name}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _start_tensorflow() -> None:
    processor.prefer_onednn()
    # Its chatter says nothing that a user of the command could act on, and some of it is written
    # straight to file descriptor 2, whatever TF_CPP_MIN_LOG_LEVEL says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import tensorflow as tf

        tf.config.list_logical_devices()
        tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
