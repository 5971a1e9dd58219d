"""The text of `--help-scenario`, made from the models, so that it cannot lie about them."""

import textwrap
import types
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lab.simulator.problems import model_within
from lab.simulator.scenario import Scenario

WIDTH = 100
TITLE = "A scenario is a YAML file. Every key can be left out unless it says required.\n"


def describe_scenario() -> str:
    """Every key of a scenario with its type, its default and what it means."""
    return "\n".join([TITLE, *_describe(Scenario, 0)]) + "\n"


def _describe(model: type[BaseModel], depth: int) -> list[str]:
    lines: list[str] = []
    for name, field in model.model_fields.items():
        indent = "  " * depth
        lines.append(f"{indent}{field.alias or name}: {_summary(field)}")
        text = textwrap.fill(field.description or "", WIDTH - len(indent) - 4)
        lines.append(textwrap.indent(text, indent + "    "))
        inner = model_within(field.annotation)
        if inner is not None:
            lines.extend(_describe(inner, depth + 1))
    return lines


def _summary(field: FieldInfo) -> str:
    kind = _kind(field.annotation)
    if field.is_required():
        return f"{kind}, required"
    default = field.default
    return f"{kind}, default {_written(default)}" if isinstance(default, str | int | float) else kind


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) and (not value or value.isdigit()) else str(value)


def _kind(annotation: object) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(_written(part) for part in parts)
    if origin in {types.UnionType, Union}:
        return " | ".join(_kind(part) for part in parts if part is not type(None))
    if origin is list:
        return f"list of {_kind(parts[0])}" if not model_within(annotation) else "list"
    if origin is dict:
        return "map of texts"
    names: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true | false"}
    return names.get(annotation, "map")
