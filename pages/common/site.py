"""The pages of the site. Every list of pages comes from here."""

from dataclasses import dataclass
from pathlib import Path

from settings import ROOT

LOGO = ROOT / "pages/common/logo.svg"


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        path: of its script, relative to the project's root.
        title: of the page.
        icon: beside its title.
        line: says what it shows.
        listed: in the navigation. Other pages link to one that is not.
    """

    path: str
    title: str
    icon: str
    line: str
    listed: bool = True

    @property
    def name(self) -> str:
        """The name of its script, which is also its path in the address."""
        return Path(self.path).stem


PAGES = (
    Page(
        "pages/overview.py",
        "Overview",
        ":material/monitoring:",
        "The latest price of each index, and all of them on one scale",
    ),
    Page(
        "pages/history.py",
        "History",
        ":material/candlestick_chart:",
        "Candles or a line of any range, down to single ticks",
    ),
    Page(
        "pages/futures.py",
        "Futures",
        ":material/trending_up:",
        "What futures cost to carry: basis and funding, now and over time",
    ),
    Page(
        "pages/volatility.py",
        "Volatility",
        ":material/ssid_chart:",
        "DVOL, realised volatility, and what the option chains say at constant maturities",
    ),
    Page(
        "pages/options.py",
        "Options",
        ":material/stacked_bar_chart:",
        "The option chain as of any moment: expiries, smiles, open interest, term structure",
    ),
    Page(
        "pages/contract.py",
        "Contract",
        ":material/timeline:",
        "The life of one option: IV, price, forward and open interest, until it is settled",
        listed=False,
    ),
    Page(
        "pages/quality.py",
        "Quality",
        ":material/fact_check:",
        "How complete the record is: coverage, each gap with its cause, delays",
    ),
    Page(
        "pages/alerts.py",
        "Alerts",
        ":material/notifications:",
        "How far each rule is from firing, what fired, and who was told of it",
    ),
    Page(
        "pages/export.py",
        "Export",
        ":material/download:",
        "Ticks or candles as a file, and how programs ask for the same",
    ),
)


def page_named(name: str) -> Page:
    """The page of a name."""
    return next(page for page in PAGES if page.name == name)
