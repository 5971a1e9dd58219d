"""The field reference in docs/spec/, built from the same schema that the API server gets.

Called by resource/generate.py only.
"""

from typing import Any


def build_reference(crd: dict[str, Any]) -> str:
    """The page of one kind as markdown."""
    return f"# {crd['spec']['names']['kind']}\n"
