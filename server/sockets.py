"""The server's listening sockets, which Streamlit opens and keeps to itself."""

import contextlib
import socket
from pathlib import Path

from websockets import http11

_OPEN_FILES = Path("/dev/fd")
"""Lists the numbers of this process's open files, on Linux and macOS."""


_LONGEST_HEADER = 65_536


def accept_long_cookies() -> None:
    """Have sockets accept long headers, as requests for pages do.

    The library for sockets refuses a header of more than 8 kB, and Streamlit says nothing about it in the log. An
    identity that Streamlit keeps in cookies can be longer; so are the cookies of some proxies.
    """
    http11.MAX_LINE_LENGTH = _LONGEST_HEADER


def answer_at_once() -> None:
    """Have the servers of this process send each part of a reply without waiting for the last part's acknowledgement.

    Streamlit's server binds its socket with protocol 0, and asyncio sets TCP_NODELAY only where that is IPPROTO_TCP. So
    each reply over a kept-alive connection took 44 ms more. A connection inherits the option from the listening
    socket. Nothing happens where there is no such socket, as when pages run without a server, or where the open files
    are not listed, as on Windows.
    """
    for number in _open_files():
        with contextlib.suppress(OSError):  # the file is no socket, or was closed meanwhile
            _answer_at_once(number)


def _answer_at_once(number: int) -> None:
    opened = socket.socket(fileno=number)
    try:
        if _is_tcp(opened) and opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    finally:
        opened.detach()  # the socket stays open: it belongs to its server


def _open_files() -> list[int]:
    try:
        return [int(path.name) for path in _OPEN_FILES.iterdir()]
    except OSError:
        return []


def _is_tcp(opened: socket.socket) -> bool:
    return opened.family in {socket.AF_INET, socket.AF_INET6} and opened.type == socket.SOCK_STREAM
