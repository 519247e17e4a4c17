"""The parts and rooms of the project, and the imports that each is allowed."""

# The parts that each part may import: settings <- store <- {poller, pages, api, server} <- dashboard.
ARROWS = {
    "settings.py": set(),
    "store": {"settings"},
    "poller": {"settings", "store"},
    "pages": {"settings", "store"},
    "api": {"settings", "store"},
    "server": {"settings", "store"},
    "dashboard.py": {"settings", "store", "poller", "pages", "api", "server"},
}


PARTS = {name.removesuffix(".py") for name in ARROWS}


# The rooms of its part that each room may import. All rooms may import the modules that lie directly in their part.
ROOMS: dict[str, dict[str, set[str]]] = {
    "store": {
        "file": set(),
        "prices": {"file"},
        "market": {"file", "ledger"},
        "market.reads": {"market", "file", "prices", "ledger"},
        "ledger": {"file"},
        "health": {"file", "prices", "ledger", "market", "lake"},
        "intake": {"intake.files", "intake.rows", "intake.market", "file", "prices", "ledger"},
        "intake.market": {"intake.files", "intake.rows", "file", "market", "ledger", "export"},
        "intake.rows": {"intake.files", "file", "prices"},
        "intake.files": set(),
        "export": {"file", "prices", "ledger", "market.reads"},
        "backup": {"file", "prices", "market", "ledger", "lake"},
        "alerts": {"alerts.rules", "file", "prices", "ledger", "market"},
        "lake": {"file", "prices", "market", "ledger"},
        "alerts.rules": {"market"},
        "alerts.replay": {"alerts", "alerts.rules", "file", "prices", "ledger", "market"},
    },
    "poller": {
        "timing": set(),
        "network": set(),
        "exchange": {"network"},
        "exchange.market": {"exchange"},
        "history": {"timing", "exchange", "exchange.market"},
        "alerts": {"timing", "network"},
        "simulator": {"simulator.truth"},
        "simulator.truth": set(),
        "feeds": {"timing", "exchange", "exchange.market"},
        "journal": {"timing", "alerts", "feeds"},
        "demo": {"timing", "exchange", "feeds", "simulator", "simulator.truth"},
        "publisher": {"timing"},
        "recorder": {"timing", "network", "exchange", "feeds", "history", "alerts", "journal", "demo", "publisher"},
        "commands": {"network", "alerts", "feeds", "recorder", "simulator", "publisher"},
    },
    "api": {"market": set()},
    "pages.common": {
        "words": set(),
        "figures": {"words"},
        "figures.hours": {"words"},
        "figures.options": {"figures", "words"},
        "chart": set(),
        "pulse": set(),
        "reads": set(),
        "market": {"reads", "words", "figures", "chart"},
    },
}
