"""A server that answers for days must not grow."""

from pathlib import Path

import pytest

from tfdeconv.errors import UserError
from tfdeconv.export import Client


def megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(resident) / 1024


def ask(server, photographs, count: int) -> None:
    clients = [Client(server.grpc), Client(server.rest)]
    for number in range(count):
        client = clients[number % 2]
        if number % 5 == 4:
            with pytest.raises(UserError, match="refused"):
                client.segment(photographs[number % 4][:-7])
        else:
            client.segment(photographs[number % 4])


@pytest.mark.large
def test_memory_is_flat_over_500_requests(server, photographs) -> None:
    if server.process is None:
        pytest.skip("the server is not ours to measure")
    ask(server, photographs, 100)
    before = megabytes(server.process.pid)
    ask(server, photographs, 500)
    grown = megabytes(server.process.pid) - before
    print(f"{before:.0f} MB and {grown:+.1f} MB after 500 requests")
    assert grown < 15
