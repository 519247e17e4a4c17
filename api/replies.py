"""JSON replies with an ETag: a client does not fetch the same body again."""

import hashlib
from typing import Any

from fastapi import Request, Response

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The body that If-None-Match names is current."}}


def json_reply(request: Request, body: bytes) -> Response:
    """The body with its ETag; 304 without the body for a client that has it already.

    The tag is weak: it is the same whether the body is sent compressed or not.
    """
    tag = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def has(request: Request, tag: str) -> bool:
    """Does the client say that it has a body with this tag? The comparison is weak, as RFC 9110 asks."""
    named = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return tag.removeprefix("W/") in named or "*" in named
