#!/bin/sh
# Compares a running server with the model that it serves.
set -eu

usage() {
    cat <<'TEXT'
Usage: export/serving/smoke_test.sh EXPORTED MODEL URL...

Runs the tests of the protocols against a running tensorflow_model_server, or its container: labels
must be those of the local model, over each interface and with eight clients at once; every wrong
request must be refused with the name of the wrong element, and the request after it answered.

  EXPORTED  the folder of `tfdeconv export` that the server serves under the name `deconvnet`
  MODEL     the .keras file or run folder that it was exported from
  URL       http://HOST:8501 for REST, grpc://HOST:8500 for gRPC; one of them or both

  tfdeconv export runs/stage2 served --server server
  docker compose -f server/compose.yaml up --detach
  export/serving/smoke_test.sh served runs/stage2 http://localhost:8501 grpc://localhost:8500

Run it from a checkout with `make test` done once; PYTHON names another interpreter.
TEXT
    exit "$1"
}

case "${1-}" in -h | --help) usage 0 ;; esac
[ "$#" -ge 3 ] || usage 2 >&2

TFDECONV_EXPORTED=$(realpath "$1")
TFDECONV_MODEL=$(realpath "$2")
export TFDECONV_EXPORTED TFDECONV_MODEL
shift 2
TFDECONV_SERVERS="$*"
export TFDECONV_SERVERS
cd "$(dirname "$0")/../.."
exec "${PYTHON:-.venv/bin/python}" -m pytest -q tests/serving/test_protocol.py
