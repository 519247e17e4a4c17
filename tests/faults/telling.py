"""A recorder is killed while it sends alerts: each alert arrives, and each double message has the same reason."""

import time
from collections import Counter

from store.alerts import events
from tests.conftest import wait_until
from tests.faults.parts import recording
from tests.faults.stage import Stage
from tests.support.events import alert, note
from tests.support.webhook import Webhook

_EVENTS_A_KILL = 16

# This rule fires and is over again and again, so that events occur while others are sent.
_RULES = """
[[rule]]
name = "Each move"
kind = "move"
percent = 0.0001
within = "2s"
hysteresis = 0
cool_down = "0s"
recovery = true
"""

_NOTED = """
SELECT
    text || chr(10) || strftime(happened_at, '%Y-%m-%d %H:%M:%S.%g') || ' UTC, condition: ' || condition,
    count(*) FILTER (WHERE outcome = 'sent')
FROM alert_events
LEFT JOIN alert_deliveries USING (id)
WHERE len(targets) > 0
GROUP BY id, text, happened_at, condition
"""


def kill_while_telling(stage: Stage, times: int) -> None:
    rules = stage.folder / "alerts.toml"
    rules.write_text(_RULES)
    stage.database.migrate()
    note(stage.database, *(alert(f"BTC / USD alert {number}") for number in range(_EVENTS_A_KILL * times)))
    with Webhook() as webhook:
        stage.settings = {"notify_urls": webhook.address, "alerts_file": rules}
        may_come_twice: Counter[str] = Counter()
        for _ in range(times):
            _kill_once(stage, webhook)
            may_come_twice.update(_received_but_not_noted(stage, webhook))
        rules.write_text("")  # so that there is a last event
        with recording(stage):
            wait_until(lambda: not _pending(stage), timeout_s=120, look_again_s=0.2)
        _compare(stage, webhook, may_come_twice)


def _kill_once(stage: Stage, webhook: Webhook) -> None:
    before, began = len(webhook.messages), time.monotonic()
    stage.injected += 1
    stage.start()
    wait_until(lambda: len(webhook.messages) > before, timeout_s=40)
    stage.recovery_s.append(time.monotonic() - began)
    time.sleep(stage.random.random() * 1.5)  # until the moment of the kill
    stage.kill()
    wait_until(lambda: webhook.idle)


def _received_but_not_noted(stage: Stage, webhook: Webhook) -> list[str]:
    noted = _noted(stage)
    received = {message["message"] for message in webhook.messages}
    return [body for body, sent in noted.items() if body in received and not sent]


def _compare(stage: Stage, webhook: Webhook, may_come_twice: Counter[str]) -> None:
    noted = _noted(stage)
    received = Counter(message["message"] for message in webhook.messages)
    doubles = received - Counter(noted.keys())
    assert noted.keys() == received.keys(), "an event never arrived, or nobody noted it"
    assert doubles <= may_come_twice, "an event came twice although it was noted as sent"
    assert set(noted.values()) == {1}, "an event was noted as sent more than once"
    stage.counted = len(noted)
    stage.note = f"{len(noted)} events, {stage.injected} kills, {doubles.total()} doubles, as many as fell between "
    stage.note += f"send and note: {may_come_twice.total()}"


def _noted(stage: Stage) -> dict[str, int]:
    """The text of each event with targets, and how often it was noted as sent."""
    with stage.database.read() as cursor:
        return dict(cursor.execute(_NOTED).fetchall())


def _pending(stage: Stage) -> bool:
    with stage.database.read() as cursor:
        return bool(events.pending(cursor))
