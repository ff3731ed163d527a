"""Ports of loopback that are free, and stay so while a server is down."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: nobody takes it while a server restarts.
_LOWEST, _HIGHEST = 20_000, 29_999
_random = random.SystemRandom()


def is_free(port: int) -> bool:
    """Return whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return the number of a free port."""
    while not is_free(port := _random.randint(_LOWEST, _HIGHEST)):
        pass
    return port
