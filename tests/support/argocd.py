"""How Argo CD runs a health script: Lua 5.1 with base, table and package, the object as `obj`, a table comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import lupa.lua51
import yaml

from tests.support.crds import REPOSITORY

_PATCH = REPOSITORY / "deploy" / "argocd" / "argocd-cm.yaml"
_PREFIX = "resource.customizations.health.modelarts.huaweicloud.com_"
# What gopher-lua does not load for scripts of users. Texts have methods only through the string library.
_SANDBOX = """
debug.setmetatable("", nil)
for _, name in ipairs({"string", "math", "io", "os", "debug", "coroutine", "bit", "jit", "python"}) do
  _G[name] = nil
end
"""
LuaError = lupa.lua51.LuaError
VALID = {"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}


@dataclass(frozen=True)
class Health:
    """What Argo CD makes of the answer."""

    status: str
    message: str
    deletion_message: str


@cache
def script_of(kind: str) -> str:
    """The script as it is shipped, out of the ConfigMap's patch."""
    data = yaml.safe_load(_PATCH.read_text())["data"]
    return str(data[f"{_PREFIX}{kind}"])


def run(script: str, body: Mapping[str, Any]) -> Health:
    """Run it on an object; an error of Lua is an error of the test."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    lua.execute(_SANDBOX)
    lua.globals().obj = lua.table_from(dict(body), recursive=True)
    answer = lua.execute(script)
    assert answer.status in VALID, answer.status
    return Health(answer.status, answer.message or "", answer.deletionMessage or "")


def health_of(body: Mapping[str, Any]) -> Health:
    """What the shipped script for its kind says."""
    return run(script_of(str(body["kind"])), body)
