"""All methods that the simulated exchange answers."""

from .market_replies import METHODS as MARKET
from .replies import METHODS as INDEXES
from .replies import Call, Json, RpcError

METHODS = {**INDEXES, **MARKET}


def answer(method: str, call: Call) -> Json:
    """The `result` of a call of a method, given without its "public/".

    Raises:
        RpcError: the exchange would refuse the call.
    """
    if method not in METHODS:
        raise RpcError(-32601, "Method not found")
    return METHODS[method](call)
