"""The command `tfdeconv`: runs a sub-command and prints a user's mistake without a traceback.

Nothing heavy is imported before a sub-command runs, so that `--help` is quick.
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
    "import",
    "check",
    "propose",
    "train",
    "recalibrate",
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
To try it without data: tfdeconv demo

On your own data (SOURCE: the export of an annotation tool; DATA: PASCAL VOC layout):
  tfdeconv import SOURCE DATA --val 0.2
  tfdeconv check DATA
  tfdeconv train unet DATA --out runs/unet
  tfdeconv evaluate runs/unet DATA
  tfdeconv segment runs/unet photo.jpg --out segmented --overlay
  tfdeconv export runs/unet served

DeconvNet is trained in two stages: see tfdeconv train --help
Options of a command: tfdeconv COMMAND --help
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The words after `tfdeconv`; those of the process by default.

    Returns:
        The exit status: 0 done, 1 failed, 2 wrong usage.
    """
    parsed = _parser().parse_args(arguments)
    try:
        # With --server the model server does the computation.
        served = getattr(parsed, "url", None) is not None
        if parsed.command not in WITHOUT_TENSORFLOW and not served:
            _start_tensorflow()
        return parsed.run(parsed) or 0
    except (UserError, OSError) as error:
        print(f"tfdeconv: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("tfdeconv: interrupted", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfdeconv",
        description="Semantic segmentation with DeconvNet (Noh, Hong, Han; ICCV 2015) and other\n"
        "networks: train, evaluate, segment, export.",
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
        description = str(module.__doc__)
        command = commands.add_parser(
            name,
            help=description.splitlines()[0].rstrip("."),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _start_tensorflow() -> None:
    processor.prefer_onednn()
    # Its messages are of no use to a user of the command, and some are written directly to file
    # descriptor 2, whatever TF_CPP_MIN_LOG_LEVEL is.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
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
