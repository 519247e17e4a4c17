"""The log says what was refused, and nobody fills it."""

from server.refusals import Refusals


def test_each_refusal_is_logged_once_and_no_more_than_a_hundred(caplog):
    refusals = Refusals()

    for number in [1, 1, *range(200)]:
        refusals.log(f"refused {number}")

    assert [record.getMessage() for record in caplog.records] == [
        "refused 1",
        "refused 0",
        *(f"refused {number}" for number in range(2, 100)),
    ]
