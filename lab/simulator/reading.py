"""From a YAML file to a scenario, or to problems that name file, line, key and the fix."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from types import MappingProxyType

import yaml
from pydantic import ValidationError

from lab.simulator.problems import Path, Problem, ScenarioError, find_problems
from lab.simulator.scenario import Scenario

# libyaml reads ten thousand node pools in a second, the loader written in Python in ten.
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_scenario(file: FilePath) -> Scenario:
    """The scenario in a file; raises ScenarioError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError([Problem((), f"the file cannot be read: {why}")], str(file)) from error
    return parse_scenario(text, str(file))


def parse_scenario(text: str, source: str) -> Scenario:
    """The scenario in a text; `source` is how messages call it."""
    lines: dict[Path, int] = {}
    try:
        loader = LOADER(text)
        node = loader.get_single_node()
        problems = [] if node is None else _walk(node, (), lines)
        content = {} if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        problem = Problem((), f"this is not YAML: {error.problem}", line)
        raise ScenarioError([problem], source) from error
    except RecursionError as error:
        raise ScenarioError([Problem((), "an alias in it refers to itself; write the part out")], source) from error
    except yaml.YAMLError as error:
        raise ScenarioError([Problem((), "this is not YAML: it holds unreadable characters")], source) from error
    if problems:
        raise ScenarioError(problems, source)
    return to_scenario(content, source, lines)


def to_scenario(content: object, source: str = "", lines: Mapping[Path, int] = MappingProxyType({})) -> Scenario:
    """The scenario in what YAML or JSON held; `lines` is where its keys stand. Raises ScenarioError."""
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        problems = [
            Problem(problem.path, problem.message, _line_of(problem.path, lines))
            for problem in find_problems(error, Scenario)
        ]
        raise ScenarioError(problems, source) from error


def _line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of the key, or of the nearest one around it that was written."""
    for length in range(len(path), -1, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int]) -> list[Problem]:
    """Note the line of every key. Keys written twice are problems: YAML would silently take the last."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            problem for position, item in enumerate(node.value) for problem in _walk(item, (*path, position), lines)
        ]
    problems: list[Problem] = []
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        below = (*path, str(key.value))
        if below in lines:
            message = f"this key stands in line {lines[below]} already; keep one of the two"
            problems.append(Problem(below, message, key.start_mark.line + 1))
            continue
        lines[below] = key.start_mark.line + 1
        problems.extend(_walk(value, below, lines))
    return problems
