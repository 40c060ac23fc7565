"""What tfdeconv is made of and what it needs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "tfdeconv/version.py").read_text()).group(1)

EXTRAS = {
    "crf": ["pydensecrf2"],
    # For gRPC, and for the requests that warm a server up.
    "serving": ["tensorflow-serving-api>=2.21"],
    "hub": ["keras-hub>=0.32"],
    "onnx": ["tf2onnx", "onnx", "onnxruntime"],
    "litert": ["ai-edge-litert"],
}
# What the default suite can run with; PyTorch, KerasHub and pydensecrf are used where they are.
EXTRAS["test"] = [
    *("pytest", "pytest-xdist", "ruff", "mypy", "import-linter", "jax"),
    *EXTRAS["serving"],
    *EXTRAS["onnx"],
    *EXTRAS["litert"],
]

setup(
    name="tfdeconv",
    version=VERSION,
    description="Semantic segmentation with DeconvNet in Keras 3 and TensorFlow",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    # Only these: a plain find_packages() would install global packages `training` and `export`.
    packages=find_packages(include=["tfdeconv", "tfdeconv.*"]),
    package_data={"tfdeconv": ["py.typed"], "tfdeconv.export": ["serving/*"]},
    install_requires=[
        "tensorflow>=2.21",
        "keras>=3.15",
        "numpy>=2.0",
        "opencv-contrib-python-headless>=4.11",
        "pillow>=12",
        "matplotlib>=3.10",
        "rich>=13",
        # The client of a server; TensorFlow brings it along.
        "urllib3>=2",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["tfdeconv = tfdeconv.cli.main:main"]},
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
