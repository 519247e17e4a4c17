"""A TLS server in front of the simulator that can break the connection in the middle of a reply."""

import http.client
import os
import socketserver
import ssl
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from poller.simulator.server import Simulator

# A record of application data in the form of TLS 1.2 and 1.3: 64 bytes that no key encrypted.
_SPOILT_RECORD = b"\x17\x03\x03\x00\x40" + bytes(64)


class Front(socketserver.ThreadingTCPServer):
    """Passes calls on to a simulator.

    Args:
        simulator: answers the calls.
        certificate: a file to make, for localhost.

    `fails` is the index whose replies break the connection; `broken` counts them.
    """

    daemon_threads = True

    def __init__(self, simulator: Simulator, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.simulator, self.certificate = simulator, certificate
        self.fails: str | None = None
        self.broken = 0
        certify(certificate)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_address[1]}/api/v2"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: the other side may leave at any time."""


class _Handler(socketserver.BaseRequestHandler):
    """One connection."""

    server: Front

    def handle(self) -> None:
        with (
            closing(http.client.HTTPConnection("127.0.0.1", self.server.simulator.port)) as behind,
            self.server.context.wrap_socket(self.request, server_side=True) as connection,
            connection.makefile("rb") as asked,
        ):
            while target := _target(asked):
                behind.request("GET", target)
                reply = behind.getresponse()
                body = reply.read()
                head = f"HTTP/1.1 {reply.status} {reply.reason}\r\n{reply.msg}".replace("\n", "\r\n").encode()
                sent = head.replace(b"\r\r\n", b"\r\n") + body
                if self.server.fails and f"index_name={self.server.fails}" in target:
                    self._break(connection, sent)
                    return
                connection.sendall(sent)

    def _break(self, connection: ssl.SSLSocket, sent: bytes) -> None:
        connection.sendall(sent[: len(sent) // 2])
        self.server.broken += 1
        if self.server.broken % 2:
            os.write(connection.fileno(), _SPOILT_RECORD)
        else:
            os.write(connection.fileno(), _SPOILT_RECORD[:20])
        # Close without TLS's closing message.
        os.close(connection.detach())


def _target(asked: Any) -> str:
    """The target of the next request; empty without one."""
    first = asked.readline().split()
    while asked.readline().strip():
        pass
    return first[1].decode() if first else ""


def certify(path: Path) -> None:
    """Write a key and a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
