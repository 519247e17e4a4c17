"""Plotly's script for the browser: its finance bundle is a quarter of the whole and draws all our charts.

plotly.js 4.1.0, MIT licence, from npm's plotly.js-finance-dist-min: `npm pack plotly.js-finance-dist-min@4.1.0`. On
two cores a page painted its chart after 1.3 s with it, and after 2.1 s with the whole bundle, both compressed and
preloaded.
"""

from pathlib import Path

PLOTLY_FILE = Path(__file__).parent / "plotly-finance-4.1.0.min.js"
PLOTLY_PATH = "/api/plotly.js"
PLOTLY_URL = f"{PLOTLY_PATH.removeprefix('/')}?v=4.1.0"
"""Relative to a page, for hosts that put a path before ours; the version lets browsers keep it for ever."""
