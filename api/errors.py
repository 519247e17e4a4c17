"""What the API answers to a request that it can't serve: one line that says what, which value, and what is allowed."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from store.errors import StoreError
from store.words import shortened


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="One line: what was wrong, which value, and what is allowed.")


BAD_REQUEST: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter is missing or not allowed."}
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "The index has no tick there."}}
CLOSED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "This API asks for a token, and the token is missing or wrong."},
    403: {"model": Problem, "description": "Readers sign in to this dashboard, and it has no token for programs."},
}
LIMITED: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The request brings more than 64 kB of body."},
    414: {"model": Problem, "description": "The request brings more than 8 kB of address."},
}
UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "The database can't be read now."}
}


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(RequestValidationError, _not_allowed)
    app.add_exception_handler(404, _not_there)
    app.add_exception_handler(405, _read_only)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)


async def _not_allowed(_: Request, error: Any) -> JSONResponse:
    return JSONResponse({"detail": in_one_line(error.errors())}, status_code=422)


async def _not_there(request: Request, error: Any) -> JSONResponse:
    detail = error.detail
    if detail == HTTPStatus.NOT_FOUND.phrase:  # Starlette's own word; a route gives a reason
        docs = f"{request.scope.get('root_path', '')}/docs"
        detail = f"path = {shortened(request.scope['path'])}: is no route; {docs} shows the routes"
    return JSONResponse(detail if isinstance(detail, dict) else {"detail": detail}, status_code=404)


async def _read_only(request: Request, _: Exception) -> JSONResponse:
    detail = f"method = {request.method!r}: must be GET or HEAD"
    return JSONResponse({"detail": detail}, status_code=405, headers={"allow": "GET, HEAD"})


def in_one_line(errors: Sequence[Any]) -> str:
    """What FastAPI found wrong with a request, such as "limit = '0': must be greater than or equal to 1"."""
    return "; ".join(map(_in_words, errors))


def _in_words(error: Any) -> str:
    name = error["loc"][-1]
    if error["type"] == "missing":
        return f"{name} is missing: it must be given"
    allowed = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{name} = {shortened(error['input'])}: {allowed}"
