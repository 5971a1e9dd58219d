"""What is wrong with a scenario or a change, each with the path of its key and what to write instead."""

import difflib
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

# By pydantic's names of errors: what to write where the kind of value is wrong …
WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map of texts",
    "model_type": "a map of keys",
    "string_too_short": "a text that is not empty",
}
# … and where the kind is right and the value is not.
BOUNDS = {
    "literal_error": "{expected} (texts in quotes)",
    "string_pattern_mismatch": "a text of 1 to 256 characters without control characters",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` is known for files only."""

    path: Path
    message: str
    line: int | None = None

    @property
    def key(self) -> str:
        """The path as people write it: resourcePools[0].nodePools[1].count."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text.lstrip(".") or "(top)"


class ScenarioError(Exception):
    """A scenario or a change that cannot be served; the message names every key and what is allowed."""

    def __init__(self, problems: list[Problem], source: str = "") -> None:
        self.problems = problems
        self.source = source
        super().__init__("\n".join(self._line(problem) for problem in problems))

    def _line(self, problem: Problem) -> str:
        place = f"{self.source}:{problem.line}: " if problem.line is not None else ""
        place = place or (f"{self.source}: " if self.source else "")
        return f"{place}{problem.key}: {problem.message}"


def find_problems(error: ValidationError, model: type[BaseModel], prefix: Path = ()) -> list[Problem]:
    """What pydantic found, in our words. Values are quoted only where they cannot be secret."""
    return [Problem(prefix + tuple(detail["loc"]), _explain(detail, model)) for detail in error.errors()]


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(detail["loc"], model)
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "this key is required"
    if kind in WANTED:
        hint = ", in quotes" if kind == "string_type" and isinstance(given, int | float) else ""
        return f"write {WANTED[kind]}{hint}, not {_kind_of(given)}"
    if kind in BOUNDS:
        return f"{given!r} is not allowed here; write {BOUNDS[kind].format(**context)}"
    return f"{detail['msg']}; `modelarts-nodepool simulate --help-scenario` lists what is allowed"


def _kind_of(value: object) -> str:
    """The kind and never the value: it may be a secret that was written without quotes."""
    names = {dict: "a map", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "this value")


def _unknown_key(location: Path, model: type[BaseModel]) -> str:
    allowed = allowed_keys(location[:-1], model)
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"unknown key; {meant}Allowed: {', '.join(allowed)}"


def allowed_keys(location: Path, model: type[BaseModel]) -> list[str]:
    """The keys of the model at a path below `model`."""
    here: type[BaseModel] = model
    for part in location:
        field = next((field for field in here.model_fields.values() if field.alias == part), None)
        if field is not None:
            here = model_within(field.annotation) or here
    return [field.alias or name for name, field in here.model_fields.items()]


def model_within(annotation: object) -> type[BaseModel] | None:
    """The model that an annotation holds: Model, list[Model], Model | None."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in get_args(annotation) if (found := model_within(part))), None)
