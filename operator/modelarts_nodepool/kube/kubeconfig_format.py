"""Parses a kubeconfig, and the output of a credential plugin, like kubectl: YAML or JSON. Pure.

kube/kubeconfig.py and kube/exec_plugin.py call it. Like client-go it ignores unknown fields and refuses a value of the
wrong type anywhere in the file. No message quotes the text, for any line may hold a token.

The fields: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

API_VERSION, KIND = "v1", "Config"
EXEC_EXTENSION = "client.authentication.k8s.io/exec"

_BOOL = re.compile(r"(?i:y|yes|true|on|n|no|false|off)\Z")
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|"
    r"(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
)


class FormatError(ValueError):
    """The text is not valid. The message names the place, never the value."""


class _Loader(yaml.SafeLoader):
    """The types of go-yaml: a date is text, `y` is a boolean, `1e3` is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name


def _to_bool(_loader: _Loader, node: yaml.ScalarNode) -> bool:
    return str(node.value).lower() in {"y", "yes", "true", "on"}


def _to_number(_loader: _Loader, node: yaml.ScalarNode) -> int | float:
    text = str(node.value).replace("_", "")
    try:
        return int(text, 0)
    except ValueError:
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("yYtToOnNfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<\Z"), ["<"])
_Loader.add_constructor("tag:yaml.org,2002:bool", _to_bool)
_Loader.add_constructor("tag:yaml.org,2002:float", _to_number)


def decode(data: bytes) -> Any:  # noqa: ANN401 - whatever is written there
    """The first document. Raises FormatError."""
    try:
        # PyYAML does not take the tabs that JSON may be indented with.
        return json.loads(data.decode("utf-8-sig"))
    except ValueError:
        pass
    try:
        return next(iter(yaml.load_all(data, _Loader)), None)
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise FormatError(f"it is neither YAML nor JSON{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise FormatError("it is neither YAML nor JSON") from None


class Part(BaseModel):
    """A mapping: null is an empty one, a field that is null is left out, an unknown field is ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:  # noqa: ANN401 - whatever is written there
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if isinstance(key, str) and item is not None}
        return value


def _from_base64(value: Any) -> Any:  # noqa: ANN401 - whatever is written there
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


Data = Annotated[bytes, BeforeValidator(_from_base64)]
# In a list Go reads null as the empty value.
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class Named(Part):
    """An entry of a list that is found by its name."""

    name: str = ""


class Extension(Named):
    """Data of other programs in a kubeconfig; one extension is for credential plugins."""

    extension: Any = None


class Cluster(Part):
    """How to reach an API server."""

    server: str = ""
    tls_server_name: str = Field("", alias="tls-server-name")
    is_insecure: bool = Field(default=False, alias="insecure-skip-tls-verify")
    ca_file: str = Field("", alias="certificate-authority")
    ca_data: Data = Field(b"", alias="certificate-authority-data")
    proxy_url: str = Field("", alias="proxy-url")
    is_uncompressed: bool = Field(default=False, alias="disable-compression")
    extensions: list[Extension] = []


class Variable(Part):
    """An environment variable for a credential plugin."""

    name: str = ""
    value: str = ""


class Exec(Part):
    """A credential plugin."""

    command: str = ""
    args: list[Text] = []
    env: list[Variable] = []
    api_version: str = Field("", alias="apiVersion")
    install_hint: str = Field("", alias="installHint")
    provides_cluster_info: bool = Field(default=False, alias="provideClusterInfo")
    interactive_mode: str = Field("", alias="interactiveMode")


class AuthProvider(Part):
    """Authentication before there were credential plugins."""

    name: str = ""


class User(Part):
    """How to authenticate."""

    certificate_file: str = Field("", alias="client-certificate")
    certificate_data: Data = Field(b"", alias="client-certificate-data")
    key_file: str = Field("", alias="client-key")
    key_data: Data = Field(b"", alias="client-key-data")
    token: str = ""
    token_file: str = Field("", alias="tokenFile")
    as_user: str = Field("", alias="as")
    as_uid: str = Field("", alias="as-uid")
    as_groups: list[Text] = Field([], alias="as-groups")
    as_user_extra: dict[str, list[Text]] = Field({}, alias="as-user-extra")
    username: str = ""
    password: str = ""
    auth_provider: AuthProvider | None = Field(None, alias="auth-provider")
    exec: Exec | None = None


class Context(Part):
    """A cluster and a user."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


class NamedCluster(Named):
    """An entry of `clusters`."""

    cluster: Cluster = Cluster.model_validate({})


class NamedUser(Named):
    """An entry of `users`."""

    user: User = User.model_validate({})


class NamedContext(Named):
    """An entry of `contexts`."""

    context: Context = Context()


class Kubeconfig(Part):
    """One file."""

    api_version: str = Field("", alias="apiVersion")
    kind: str = ""
    current_context: str = Field("", alias="current-context")
    clusters: list[NamedCluster] = []
    users: list[NamedUser] = []
    contexts: list[NamedContext] = []


def parse_kubeconfig(data: bytes) -> Kubeconfig:
    """The content of one file. Raises FormatError. An empty file is an empty kubeconfig, as in kubectl."""
    config = parse(Kubeconfig, decode(data)) if data else Kubeconfig.model_validate({})
    if config.api_version not in {"", API_VERSION} or config.kind not in {"", KIND}:
        raise FormatError(f"its apiVersion and kind are not {API_VERSION} and {KIND}")
    for entries, what in ((config.clusters, "clusters"), (config.users, "users"), (config.contexts, "contexts")):
        _refuse_duplicates(entries, what)
    for entry in config.clusters:
        _refuse_duplicates(entry.cluster.extensions, "extensions of a cluster")
    return config


P = TypeVar("P", bound=Part)


def parse(model: type[P], value: Any) -> P:  # noqa: ANN401 - whatever is written there
    """The value as this model. Raises FormatError, which names fields and quotes no value."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(each) for each in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise FormatError(f"{where}: {said}" if where else "it is not a mapping of fields") from None


def _refuse_duplicates(entries: Sequence[Named], what: str) -> None:
    names = [entry.name for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FormatError(f"its {what} have the name {twice[0][:80]!r} twice")
