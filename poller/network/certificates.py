"""The certificates that are trusted: the system's, or the ones that the environment names."""

import os
import ssl
from pathlib import Path

import truststore

from poller.words import one_line
from settings import SettingsError, shared_variable

_A_FILE = "a file of certificates in PEM"
_A_FOLDER = "a folder of certificates"


def trusted() -> ssl.SSLContext:
    """The context that verifies a server: the system's store, or SSL_CERT_FILE and SSL_CERT_DIR in its place.

    Raises:
        SettingsError: one of the two can't be used; one line that names it.
    """
    (_, file), (_, folders) = shared_variable("SSL_CERT_FILE"), shared_variable("SSL_CERT_DIR")
    if not file and not folders:
        # It reads the store again for each connection, in about 20 ms.
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if file:
        _load(context, "SSL_CERT_FILE", file)
    if folders:
        _check_folders("SSL_CERT_DIR", folders)
        context.load_verify_locations(capath=folders)
    return context


def check_bundles() -> None:
    """Check that the library that sends messages can use the certificates that the environment names for it.

    Raises:
        SettingsError: it can't use them; one line that names the variable.
    """
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        _, path = shared_variable(variable)
        if path and not Path(path).is_dir():
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), variable, path, f"{_A_FILE}, or {_A_FOLDER}")


def _load(context: ssl.SSLContext, variable: str, path: str, allowed: str = _A_FILE) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError: the path is not PEM, or a folder
        raise _unusable(variable, path, allowed) from error


def _check_folders(variable: str, folders: str) -> None:
    if not all(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        raise _unusable(variable, folders, _A_FOLDER)


def _unusable(variable: str, value: str, allowed: str) -> SettingsError:
    return SettingsError(f"{variable} = {one_line(value)!r}: must be {allowed}")
