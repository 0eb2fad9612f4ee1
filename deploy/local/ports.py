"""Ports on 127.0.0.1: which are free, and who holds one that is not."""

from __future__ import annotations

import random
import socket

import psutil

from deploy.errors import PortTakenError

# Below the ranges from which systems take ports for outgoing connections, so that a port stays
# ours between choosing it and listening on it.
CANDIDATES = range(21_000, 30_000)
LOOPBACK = "127.0.0.1"


def choose_free(count: int, avoid: frozenset[int] = frozenset()) -> list[int]:
    order = [port for port in CANDIDATES if port not in avoid]
    random.shuffle(order)
    chosen = [port for port in order[: count * 50] if is_free(port)][:count]
    if len(chosen) < count:
        raise PortTakenError(f"Not even {count} free ports were found on {LOOPBACK}.")
    return chosen


def require_free(port: int, purpose: str, variable: str) -> None:
    """Raise PortTakenError, naming the holder where the system tells us."""
    if is_free(port):
        return
    raise PortTakenError(
        f"Port {port}, needed for {purpose}, is taken by {holder(port)}: stop that first, or "
        f"choose another port with {variable}."
    )


def is_free(port: int) -> bool:
    """Bindable as a server would bind it: a connection of ours in TIME_WAIT does not count."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(1)
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows other processes' sockets to root only
        return "another process"
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                break
    return "another process"
