"""Rules are read as they were written, and each mistake is one line that says where and what is allowed."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from settings import ROOT, SettingsError
from store.alerts.rules.kinds import KINDS
from store.alerts.rules.price_kinds import Move
from store.alerts.rules.record_kinds import GapClosed
from store.alerts.rules.rule_file import as_text, from_text, load_rules
from store.alerts.rules.rules import Quiet, named

RECORDED = ("btc_usd", "eth_usd")
MARKET = ("futures/BTC", "options/BTC", "dvol/BTC", "dvol/BTC-1h", "funding/BTC-PERPETUAL")
ANY_MOVE = 'kind = "move"\npercent = 3\nwithin = "15m"\n'


@pytest.fixture
def load(tmp_path):
    def load(text: str):
        path = tmp_path / "alerts.toml"
        path.write_text(text)
        return load_rules(path, RECORDED)

    return load


@pytest.fixture
def refusal(load):
    def refusal(text: str) -> str:
        with pytest.raises(SettingsError) as caught:
            load(text)
        return str(caught.value)

    return refusal


def rule(text: str, name: str = "mine") -> str:
    return f'[[rule]]\nname = "{name}"\n{text}\n'


def test_the_example_has_each_kind_and_can_be_used(tmp_path):
    example = ROOT / "alerts.example.toml"
    ours, with_lake = example.read_text().split("# With a shared lake, TICKWELL_LAKE:\n")
    (tmp_path / "all.toml").write_text(ours + re.sub("^# ", "", with_lake, flags=re.MULTILINE))

    rules = load_rules(tmp_path / "all.toml", (*RECORDED, *MARKET))

    assert {type(rule) for rule in rules} == set(KINDS.values())
    assert load_rules(example, (*RECORDED, *MARKET), shared=False) == rules[:-1]


def test_a_rule_is_read_with_all_that_it_says(load):
    (found,) = load(
        rule(
            ANY_MOVE
            + """
            indexes = ["eth_usd"]
            direction = "down"
            severity = "critical"
            cool_down = "2h"
            hysteresis = 10
            recovery = true
            quiet = { from = 22:30:00, to = "07:00", zone = "Europe/Berlin" }
            notify = ["ntfy://topic"]
            """
        )
    )

    assert isinstance(found, Move)
    assert (found.percent, found.within, found.cool_down) == (3, timedelta(minutes=15), timedelta(hours=2))
    assert (found.indexes, found.ways, found.severity, found.recovery) == (("eth_usd",), ("down",), "critical", True)
    assert str(found.quiet) == "22:30 to 07:00, Europe/Berlin"
    assert found.notify == (SecretStr("ntfy://topic"),)


KIND = f"must be one of {', '.join(KINDS)}"
LENGTH = "a length of time such as 90s, 15m, 4h or 7d"
PERCENT = "must be a number above 0, in percent"
ADDRESSES = "must be a list of addresses that apprise knows, such as ntfy://my-topic"
BACK = "must be a number from 0 to 99, in percent of the threshold"
ZONE = "must be the name of a time zone such as Europe/Berlin or UTC"


def quiet(table: str) -> str:
    return f"{ANY_MOVE}quiet = {{ {table} }}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('kind = "spike"', f"kind = 'spike', {KIND}"),
        ("", f"has no kind, {KIND}"),
        ('kind = "move"\npercent = 3', f"lacks within, {LENGTH}, up to 30d"),
        ('kind = "move"\nwithin = "15m"', "needs percent or amount, and not both"),
        (ANY_MOVE + "amount = 5", "needs percent or amount, and not both"),
        (ANY_MOVE.replace("3", "-3"), f"percent = -3, {PERCENT}"),
        (ANY_MOVE.replace("3", "nan"), f"percent = nan, {PERCENT}"),
        (ANY_MOVE.replace("3", '"3"'), f"percent = '3', {PERCENT}"),
        (ANY_MOVE + 'cool_down = "12000d"', f"cool_down = '12000d', must be {LENGTH}, up to 365d"),
        (ANY_MOVE + 'cool_down = "9999999999d"', f"cool_down = '9999999999d', must be {LENGTH}, up to 365d"),
        ('kind = "gap"\nat_least = "366d"', f"at_least = '366d', must be {LENGTH}, up to 365d"),
        (ANY_MOVE.replace("15m", "15 min"), f"within = '15 min', must be {LENGTH}, up to 30d"),
        (ANY_MOVE.replace("15m", "31d"), f"within = '31d', must be {LENGTH}, up to 30d"),
        (ANY_MOVE.replace('"15m"', "15"), f"within = 15, must be {LENGTH}, up to 30d"),
        ('kind = "level"\nprice = 5', "lacks indexes, a list of recorded index names"),
        (ANY_MOVE + 'indexes = ["sol_usd"]', "indexes names sol_usd, must be among btc_usd, eth_usd"),
        (ANY_MOVE + "indexes = [5]", "indexes.0 = 5, must be a list of recorded index names; all of them if left out"),
        (ANY_MOVE + 'severity = "high"', "severity = 'high', must be info, warning or critical"),
        (ANY_MOVE + "hysteresis = 100", f"hysteresis = 100, {BACK}"),
        (
            quiet('from = "25:00", to = "07:00", zone = "UTC"'),
            "quiet.from = '25:00', must be a time of day such as 22:00",
        ),
        (quiet('from = "22:00", to = 7, zone = "UTC"'), "quiet.to = 7, must be a time of day such as 07:30"),
        (quiet('from = "22:00", to = "07:00", zone = "Berlin"'), f"quiet.zone = 'Berlin', {ZONE}"),
        (quiet('from = "22:00", zone = "UTC"'), "lacks quiet.to, a time of day such as 07:30"),
        (ANY_MOVE + 'notify = ["a-secret"]', f"notify, {ADDRESSES}"),
        (ANY_MOVE + "notify = [5]", f"notify.0, {ADDRESSES}"),
        ('kind = "stale"\nslots = 1.5', "slots = 1.5, must be a whole number above 0"),
        ('kind = "volatility"\nabove = 80\nover = "5m"', f"over = '5m', must be {LENGTH}, from 10m to 30d"),
    ],
)
def test_a_mistake_is_one_line_with_what_is_allowed(refusal, text, line):
    assert refusal(rule(text)) == f"alerts.toml, rule mine: {line}"


def test_a_rule_without_a_name_is_named_by_its_place(refusal):
    assert refusal("[[rule]]\n" + ANY_MOVE) == "alerts.toml, rule 1: lacks name, a unique name of 1 to 80 letters"


def test_two_rules_of_one_name_are_refused(refusal):
    assert refusal(rule(ANY_MOVE) * 2) == "alerts.toml, rule mine: its name must be unique, and 2 rules have it"


@pytest.mark.parametrize(
    ("written", "meant"), [("cooldown", "cool_down"), ("percents", "percent"), ("withn", "within")]
)
def test_a_misspelt_field_gets_a_hint(refusal, written, meant):
    said = refusal(rule(f'{ANY_MOVE}{written} = "5m"'))

    assert said == f"alerts.toml, rule mine: has {written}, which move doesn't know: did you mean {meant}?"


def test_a_field_that_a_kind_does_not_know_is_named_with_those_that_it_knows(refusal):
    said = refusal(rule('kind = "gap"\ncool_down = "5m"'))

    assert said == (
        "alerts.toml, rule mine: has cool_down, which gap doesn't know: it knows "
        "name, severity, quiet, notify, indexes, kind, becomes, at_least"
    )


def test_each_of_several_mistakes_has_its_line(refusal):
    said = refusal(rule('kind = "spike"') + rule(ANY_MOVE.replace("3", "0"), name="other"))

    assert [line.partition(": ")[0] for line in said.splitlines()] == [
        "alerts.toml, rule mine",
        "alerts.toml, rule other",
    ]


@pytest.mark.parametrize("text", ["rule = 5", "rule = [5]", "[rules]", '[rule]\nname = "mine"', 'kind = "move"'])
def test_a_file_with_anything_but_rules_is_refused(refusal, text):
    assert "each rule must begin with [[rule]], and nothing else is allowed" in refusal(text)


def test_a_file_that_is_not_toml_is_refused_with_the_place_of_the_error(refusal):
    assert refusal("[[rule").startswith("alerts.toml can't be read: ")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[[rule]]".encode("utf-16"), "is not UTF-8: save it as UTF-8"),
        ("[[rule]]".encode("utf-16-be"), "looks like UTF-16, as it has NUL bytes: save it as UTF-8"),
        (b"# caf\xe9", "is not UTF-8: save it as UTF-8"),
        (b"deep = " + b"[" * 100_000, "can't be read: .+"),
    ],
)
def test_a_file_that_can_not_be_toml_is_refused_in_one_line(tmp_path, content, fault):
    path = tmp_path / "alerts.toml"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=rf"^alerts\.toml {fault}$"):
        load_rules(path, RECORDED)


def test_rules_may_begin_with_the_mark_of_utf_8(tmp_path):
    path = tmp_path / "alerts.toml"
    path.write_text(rule(ANY_MOVE, name="mine"), "utf-8-sig")

    assert [each.name for each in load_rules(path, RECORDED)] == ["mine"]


def test_rules_are_read_as_utf_8_on_every_machine(tmp_path):
    path = tmp_path / "alerts.toml"
    path.write_text(rule(ANY_MOVE, name="Zürich"), "utf-8")
    script = "import sys, pathlib\nfrom store.alerts.rules.rule_file import load_rules\n"
    script += f"print(ascii(load_rules(pathlib.Path(sys.argv[1]), {RECORDED})[0].name))"
    of_c = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    read = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, env=of_c, capture_output=True, check=False)

    assert (read.stdout, read.stderr[-200:]) == (b"'Z\\xfcrich'\n", b"")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"^mine\.toml can't be read: No such file or directory$"):
        load_rules(tmp_path / "mine.toml", RECORDED)


def test_rules_are_stored_without_the_addresses_that_they_notify(load):
    rules = [
        *load_rules(ROOT / "alerts.example.toml", (*RECORDED, *MARKET)),
        *load(
            rule(
                ANY_MOVE
                + 'notify = ["json://a-secret"]\nquiet = { from = "22:00", to = "07:00", zone = "Europe/Berlin" }'
            )
        ),
    ]

    text = as_text(rules)

    assert "a-secret" not in text
    assert from_text(text) == ([rule.model_copy(update={"notify": None}) for rule in rules], [])


def test_the_names_of_addresses_reveal_nothing_but_the_service():
    urls = [SecretStr(url) for url in ("tgram://token/chat", "JSON://host/path", "tgram://token/other")]

    assert list(named(urls)) == ["tgram", "json", "tgram 2"]
    assert named(urls[:1], "Sharp move") == {"tgram of Sharp move": urls[0]}


BERLIN = {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}

TO_HALF_PAST_TWO = {**BERLIN, "to": "02:30"}


@pytest.mark.parametrize(
    ("quiet", "at", "send_after"),
    [
        (BERLIN, "2026-07-01T19:59", "2026-07-01T19:59"),
        (BERLIN, "2026-07-01T20:00", "2026-07-02T05:00"),
        (BERLIN, "2026-07-02T04:59:59", "2026-07-02T05:00"),
        (BERLIN, "2026-07-02T05:00", "2026-07-02T05:00"),
        (BERLIN, "2026-10-24T21:00", "2026-10-25T06:00"),  # the clocks are set back in that night
        (TO_HALF_PAST_TWO, "2026-10-24T23:00", "2026-10-25T00:30"),
        (TO_HALF_PAST_TWO, "2026-10-25T00:10", "2026-10-25T00:30"),
        (TO_HALF_PAST_TWO, "2026-10-25T00:40", "2026-10-25T00:40"),
        (TO_HALF_PAST_TWO, "2026-10-25T01:10", "2026-10-25T01:30"),  # 02:10 for the second time
        (TO_HALF_PAST_TWO, "2026-10-25T01:30", "2026-10-25T01:30"),
        (
            {**BERLIN, "from": "02:40", "to": "02:20"},
            "2026-10-25T00:50",
            "2026-10-25T01:20",
        ),  # 02:50 to the second 02:20
        ({**BERLIN, "from": "02:10", "to": "02:50"}, "2026-10-25T01:20", "2026-10-25T01:50"),
        (TO_HALF_PAST_TWO, "2026-03-29T00:30", "2026-03-29T01:30"),  # 02:30 is skipped: half an hour after 03:00
        ({**BERLIN, "from": "02:35", "to": "02:30"}, "2026-03-28T12:00", "2026-03-30T00:30"),
        ({**BERLIN, "from": "12:00", "to": "13:00"}, "2026-01-01T11:30", "2026-01-01T12:00"),
        ({**BERLIN, "from": "12:00", "to": "13:00"}, "2026-01-01T12:00", "2026-01-01T12:00"),
    ],
)
def test_in_quiet_hours_an_event_waits_until_they_end(quiet, at, send_after):
    assert Quiet(**quiet).ends_after(utc(at)) == utc(send_after)


@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 its bounds are naive
    to=st.sampled_from(["02:00", "02:30", "03:00", "07:00"]),
)
def test_quiet_hours_end_within_a_day(at, to):
    quiet = Quiet(**BERLIN | {"to": to})

    end = quiet.ends_after(at)

    assert at <= end <= at + timedelta(hours=10)
    assert quiet.ends_after(end) == end


def test_the_events_of_a_rule_without_quiet_hours_are_sent_at_once(load):
    (found,) = load(rule(ANY_MOVE))

    assert found.send_after(utc("2026-07-01T20:00")) == utc("2026-07-01T20:00")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "gap healed or unfillable"),
        ('becomes = "healed"', "gap healed"),
        ('becomes = "unfillable"\nat_least = "5m"', "gap unfillable, of 5 min or more"),
    ],
)
def test_a_rule_of_gaps_has_words(load, text, words):
    (found,) = load(rule('kind = "gap"\n' + text))

    assert isinstance(found, GapClosed)
    assert found.words() == words


def utc(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


ONE_LIMIT = "needs above, below or change, and one of them alone"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('kind = "dvol"', ONE_LIMIT),
        ('kind = "dvol"\nabove = 60\nbelow = 40', ONE_LIMIT),
        ('kind = "dvol"\nabove = "60"', "above = '60', must be a number, in percent a year"),
        ('kind = "skew"\ntenor = "7d"\nabove = nan', "above = nan, must be a number, in points"),
        ('kind = "dvol"\nchange = 5', "needs within with change, and not without it"),
        ('kind = "dvol"\nabove = 60\nwithin = "1d"', "needs within with change, and not without it"),
        ('kind = "dvol"\nabove = 60\ndirection = "up"', "needs direction with change alone"),
        ('kind = "dvol"\nchange = 1\nwithin = "1d"', "hysteresis = 1, must be below change, 1"),
        ('kind = "iv"\nabove = 60', "lacks tenor, one of 7d, 14d, 30d, 60d, 90d, 180d, 365d"),
        (
            'kind = "iv"\nabove = 60\ntenor = "31d"',
            "tenor = '31d', must be one of 7d, 14d, 30d, 60d, 90d, 180d, 365d",
        ),
        (
            'kind = "basis"\nabove = 6\ntenor = "12h"',
            "tenor = '12h', must be a length of time such as 30d or 90d, from 1d to 365d",
        ),
        (
            'kind = "funding"\nabove = 6\nover = "90m"',
            "over = '90m', must be whole hours such as 8h or 7d, from 1h to 30d",
        ),
        ('kind = "open_interest"\npercent = 6\nwithin = "1d"', "lacks of, options, futures or perpetual"),
        (
            'kind = "dvol"\nabove = 60\nindexes = ["btc_usd"]',
            (
                "has indexes, which dvol doesn't know: it knows name, severity, quiet, notify, cool_down, hysteresis, "
                "recovery, currencies, above, below, change, within, direction, kind"
            ),
        ),
        (
            'kind = "dvol"\nabove = 60',
            "DVOL is not recorded: TICKWELL_MARKETS names no currency",
        ),
        (
            'kind = "stale"\nslots = 3\nindexes = ["dvol/BTC"]',
            "indexes names dvol/BTC, must be among btc_usd, eth_usd",
        ),
    ],
)
def test_a_mistake_in_a_rule_of_a_market_is_one_line(refusal, text, line):
    assert refusal(rule(text)) == f"alerts.toml, rule mine: {line}"


def test_rules_of_the_record_may_name_feeds_of_markets(tmp_path):
    path = tmp_path / "alerts.toml"
    path.write_text(rule('kind = "stale"\nslots = 3\nindexes = ["options/BTC", "btc_usd"]') + rule(ANY_MOVE, "move"))

    path.write_text(path.read_text() + rule('kind = "gap"', "gap"))
    stale, move, gap = load_rules(path, (*RECORDED, *MARKET))

    assert stale.watched((*RECORDED, *MARKET)) == ("btc_usd", "options/BTC")
    assert move.watched((*RECORDED, *MARKET)) == RECORDED
    assert gap.watched((*RECORDED, *MARKET)) == (*RECORDED, "futures/BTC", "options/BTC")


def test_rules_of_what_is_not_recorded_can_be_left_out(tmp_path):
    path = tmp_path / "alerts.toml"
    path.write_text(rule('kind = "dvol"\nabove = 60') + rule(ANY_MOVE, "move"))

    assert [each.name for each in load_rules(path, RECORDED, leave_out=True)] == ["move"]
