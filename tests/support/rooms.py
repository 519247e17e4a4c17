"""The parts and rooms of the project, and which of them may import which."""

# What each part may import of the others: settings <- store <- {poller, pages, api, server} <- dashboard.
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


# What each room may import of the other rooms of its part. What lies in the part itself is its vocabulary, for all.
ROOMS: dict[str, dict[str, set[str]]] = {
    "store": {
        "file": set(),
        "prices": {"file"},
        "ledger": {"file"},
        "health": {"file", "prices", "ledger"},
        "intake": {"file", "prices", "ledger"},
        "export": {"file", "prices", "ledger"},
        "backup": {"file", "prices", "ledger"},
        "alerts": {"alerts.rules", "file", "prices", "ledger"},
        "alerts.rules": set(),
        "alerts.replay": {"alerts", "alerts.rules", "file", "prices", "ledger"},
    },
    "poller": {
        "timing": set(),
        "network": set(),
        "exchange": {"network"},
        "history": {"timing", "exchange"},
        "alerts": {"timing", "network"},
        "simulator": set(),
        "feeds": {"timing", "exchange"},
        "journal": {"timing", "alerts", "feeds"},
        "recorder": {"timing", "network", "exchange", "feeds", "history", "alerts", "journal", "simulator"},
        "commands": {"network", "alerts", "feeds", "recorder", "simulator"},
    },
    "pages.common": {
        "words": set(),
        "figures": {"words"},
        "chart": set(),
        "reads": set(),
    },
}
