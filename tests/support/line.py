"""The connection between a page and its server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, WebSocketRoute

from tests.conftest import wait_until


class Line:
    """The connection of a page, from before it is opened; it can hold the server's answers back."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._questions = 0
        self._answers: list[tuple[WebSocketRoute, str | bytes]] | None = None
        page.route_web_socket(re.compile("_stcore/stream"), self._connect)

    def _connect(self, page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()

        def ask(message: str | bytes) -> None:
            self._questions += 1
            server_side.send(message)

        def answer(message: str | bytes) -> None:
            if self._answers is None:
                page_side.send(message)
            else:
                self._answers.append((page_side, message))

        page_side.on_message(ask)
        server_side.on_message(answer)

    @contextmanager
    def answers_held(self) -> Iterator[None]:
        """Hold back all answers to the page during the block."""
        self._answers = []
        yield
        held, self._answers = self._answers, None
        for page_side, message in held:
            page_side.send(message)

    def wait_for_questions(self, count: int) -> None:
        """Wait until the page has sent this many more messages."""
        enough = self._questions + count

        def sent() -> bool:
            self._page.evaluate("null")  # Playwright handles the held messages only during a call
            return self._questions >= enough

        wait_until(sent)
