"""A make-believe Deribit: the methods that Tickwell calls, with reproducible prices and faults on demand."""

from .faults import Fault
from .prices import average, price
from .server import Simulator

__all__ = ["Fault", "Simulator", "average", "price"]
