"""Reads alerts.toml, and writes rules as text beside the events, so that pages know the rules of the recorder."""

import difflib
import json
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from settings import PREFIX, SettingsError, utf8

from .kinds import KINDS, AnyRule
from .record_kinds import LakeLags
from .rules import Quiet

_RULES: TypeAdapter[list[AnyRule]] = TypeAdapter(list[AnyRule])


def load_rules(path: Path, recorded: Collection[str], *, shared: bool = True, leave_out: bool = False) -> list[AnyRule]:
    """The rules of a file.

    Args:
        path: of the file.
        recorded: the names of the recorded feeds, which rules may name.
        shared: the record is shared by a lake, which rules may watch.
        leave_out: leave out the rules that watch what is not recorded, instead of refusing the file.

    Raises:
        SettingsError: one line for each mistake: which rule, which field, its value and what is allowed.
    """
    try:
        written = tomllib.loads(utf8(path.read_bytes(), path.name))
    except (ValueError, RecursionError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path.name} can't be read: {reason}") from error
    tables = written.pop("rule", [])
    if written or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        what = ", ".join(written) or "rule"
        raise SettingsError(f"{path.name}, {what}: each rule must begin with [[rule]], and nothing else is allowed")
    try:
        rules = _RULES.validate_python(tables)
    except ValidationError as error:
        faults = [_fault(tables, dict(each)) for each in error.errors(include_url=False)]
    else:
        rules = [rule for rule in rules if not (leave_out and any(_faults_of(rule, recorded, shared=shared)))]
        faults = list(_common_faults(rules, recorded, shared=shared))
    if faults:
        raise SettingsError("\n".join(f"{path.name}, {fault}" for fault in faults))
    return rules


def as_text(rules: Sequence[AnyRule]) -> str:
    """Rules as JSON, without the addresses that they notify."""
    return _RULES.dump_json(list(rules), by_alias=True).decode()


def from_text(text: str) -> tuple[list[AnyRule], list[str]]:
    """The rules in a text of `as_text`, perhaps from another version of Tickwell.

    Returns:
        The rules, and a line for each mistake in a rule that this version does not accept: such rules are left out.
    """
    rules: list[AnyRule] = []
    faults: list[str] = []
    for table in json.loads(text):
        try:
            rules += _RULES.validate_json(json.dumps([table]))
        except ValidationError as error:
            faults += [_fault([table], dict(each)) for each in error.errors(include_url=False)]
    return rules, faults


def _common_faults(rules: Sequence[AnyRule], recorded: Collection[str], *, shared: bool) -> Iterator[str]:
    """The mistakes that only show between rules, or between rules and recorded feeds."""
    for name, count in Counter(rule.name for rule in rules).items():
        if count > 1:
            yield f"rule {name}: its name must be unique, and {count} rules have it"
    for rule in rules:
        for fault in _faults_of(rule, recorded, shared=shared):
            yield f"rule {rule.name}: {fault}"


def _faults_of(rule: AnyRule, recorded: Collection[str], *, shared: bool) -> Iterator[str]:
    if isinstance(rule, LakeLags) and not shared:
        yield f"nothing is shared: {PREFIX}LAKE is not set"
    yield from rule.faults(recorded)


def _fault(tables: Sequence[Mapping[str, Any]], fault: Mapping[str, Any]) -> str:
    """One line for a fault that pydantic found: which rule, which field, its value and what is allowed."""
    number, *where = fault["loc"]
    table = tables[number]
    rule = f"rule {table.get('name', number + 1)}"
    if not where:
        said = f"kind = {table['kind']!r}" if "kind" in table else "has no kind"
        return f"{rule}: {said}, must be one of {', '.join(KINDS)}"
    kind, *names = where
    if not names:
        return f"{rule}: {fault['ctx']['error']}"
    field = ".".join(map(str, names))
    if fault["type"] == "extra_forbidden":
        return f"{rule}: has {field}, which {kind} doesn't know: {_known(field, KINDS[kind])}"
    allowed = _description(KINDS[kind], names)
    if fault["type"] == "missing":
        return f"{rule}: lacks {field}, {allowed}"
    shown = "" if names[0] == "notify" else f" = {reduce(getitem, names, table)!r}"
    return f"{rule}: {field}{shown}, must be {allowed}"


def _known(field: str, model: type[BaseModel]) -> str:
    """The field that was probably meant; without one, all fields."""
    nearest = difflib.get_close_matches(field, model.model_fields, n=1)
    return f"did you mean {nearest[0]}?" if nearest else f"it knows {', '.join(model.model_fields)}"


def _description(model: type[BaseModel], names: Sequence[str | int]) -> str:
    """The allowed values of a field, or of a field in its table."""
    by_name = {field.alias or name: field for name, field in model.model_fields.items()}
    if len(names) > 1 and names[0] == "quiet":
        return _description(Quiet, names[1:])
    return str(by_name[str(names[0])].description)
