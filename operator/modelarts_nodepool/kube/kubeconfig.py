"""Finds the API server and the credentials like kubectl: in kubeconfigs, else in the Pod's ServiceAccount.

app.py and kube/connection.py load one `ClientConfig` at start and open connections from it, so that all of them reach
the same cluster even if the kubeconfig changes later. kube/auth.py reads credentials that rotate again from their file
or plugin; kube/exec_plugin.py parses the output of a credential plugin with this module. The rules
are those of client-go (tools/clientcmd, 1.36): it ignores unknown fields and refuses a value of the wrong type anywhere
in the file. Features that are not supported are refused by name: see docs/decisions/0023-kubeconfigs.md.
tests/integration/kubeconfig/ compares with kubectl. It runs and sends nothing. No message quotes the text, for any line
may hold a token. The fields: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.addresses import check_proxy, is_tls, parse_server, proxy_of_environment

FROM_POD = "the Pod's ServiceAccount"
API_VERSION, KIND = "v1", "Config"

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
    """How to reach an API server. Without an authority as file or data, those of the system are trusted.

    `tls_server_name` replaces the host of the URL in SNI and in the check of the certificate; "" for none.
    """

    server: str = ""
    tls_server_name: str = Field("", alias="tls-server-name")
    is_insecure: bool = Field(default=False, alias="insecure-skip-tls-verify")
    ca_file: str = Field("", alias="certificate-authority")
    ca_data: Data = Field(b"", alias="certificate-authority-data")
    proxy_url: str = Field("", alias="proxy-url", repr=False)
    is_uncompressed: bool = Field(default=False, alias="disable-compression")
    extensions: list[Extension] = []


class Variable(Part):
    """An environment variable for a credential plugin."""

    name: str = ""
    value: str = Field("", repr=False)


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
    """How to authenticate. A readable `token_file` precedes `token`, and data precedes a file."""

    certificate_file: str = Field("", alias="client-certificate")
    certificate_data: Data = Field(b"", alias="client-certificate-data")
    key_file: str = Field("", alias="client-key")
    key_data: Data = Field(b"", alias="client-key-data", repr=False)
    token: str = Field("", repr=False)
    token_file: str = Field("", alias="tokenFile")
    as_user: str = Field("", alias="as")
    as_uid: str = Field("", alias="as-uid")
    as_groups: list[Text] = Field([], alias="as-groups")
    as_user_extra: dict[str, list[Text]] = Field({}, alias="as-user-extra")
    username: str = ""
    password: str = Field("", repr=False)
    auth_provider: AuthProvider | None = Field(None, alias="auth-provider")
    exec: Exec | None = None

    @property
    def has_certificate(self) -> bool:
        """Whether there is a client certificate."""
        return bool(self.certificate_file or self.certificate_data)

    @property
    def plugin(self) -> Exec | None:
        """The credential plugin. As in kubectl, it runs only if there are no other credentials."""
        has_other = self.has_certificate or self.token or self.token_file or self.username
        return None if has_other else self.exec

    @property
    def has_credentials(self) -> bool:
        """Whether there is any way to authenticate. As in kubectl, a password without a user name is none."""
        return self.has_certificate or bool(self.token or self.token_file or self.username or self.exec)


class Context(Part):
    """A cluster and a user."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


_NO_CLUSTER, _NO_USER = Cluster.model_validate({}), User.model_validate({})


class NamedCluster(Named):
    """An entry of `clusters`."""

    cluster: Cluster = _NO_CLUSTER


class NamedUser(Named):
    """An entry of `users`."""

    user: User = _NO_USER


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What a client of one API server needs.

    `server` is its URL without a trailing slash (it may have a path); `source` names the configuration in messages;
    `namespace` is that of the context or the Pod; `proxy` is a URL, which may hold a password; `impersonation` are
    headers of each request. Paths in `cluster` and `user` do not depend on the current folder.
    """

    server: str
    source: str
    namespace: str | None = None
    proxy: str | None = field(default=None, repr=False)
    cluster: Cluster = _NO_CLUSTER
    user: User = field(default=_NO_USER, repr=False)
    impersonation: tuple[tuple[str, str], ...] = ()
    is_compressed: bool = True


@dataclass(frozen=True, slots=True)
class PluginCredentials:
    """A token, or a certificate with its key, or both. Without `expires` they are valid until a 401."""

    token: str = field(default="", repr=False)
    certificate: tuple[bytes, bytes] | None = field(default=None, repr=False)
    expires: datetime | None = None


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


API_GROUP = "client.authentication.k8s.io"
_BETA = f"{API_GROUP}/v1beta1"
API_VERSIONS = (f"{API_GROUP}/v1", _BETA)
NEVER, IF_AVAILABLE, ALWAYS = "Never", "IfAvailable", "Always"

# RFC 9110, section 5.6.2: characters of a header's name. The % is escaped, so that every escape can be undone.
_LEGAL = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_CONTEXTS = "see kubectl config get-contexts, then kubectl config use-context NAME"


class NoContextError(SettingsError):
    """The kubeconfigs name no context and no server."""


@dataclass(slots=True)
class _Merged:
    """All files together. The first file with an entry wins; paths in the entry are relative to its folder."""

    source: str
    clusters: dict[str, tuple[Cluster, Path]] = field(default_factory=dict)
    users: dict[str, tuple[User, Path]] = field(default_factory=dict)
    contexts: dict[str, Context] = field(default_factory=dict)
    current_context: str = ""


def read_context(files: list[Path], name: str | None) -> ClientConfig:
    """The context `name` of these files, else their current context.

    Raises NoContextError, or errors.SettingsError for what is invalid or not supported.
    """
    merged = _merge(files)
    name = name or merged.current_context
    context = merged.contexts.get(name)
    if context is None and name:
        where = f"The kubeconfig {merged.source} has" if merged.source else "No kubeconfig exists, so there is"
        raise SettingsError(f"{where} no context {name[:80]!r}: {_CONTEXTS}.")
    cluster, folder = merged.clusters.get(context.cluster if context else "", (None, Path()))
    if cluster is not None and cluster.server:
        return _to_client_config(merged, context or Context(), cluster, folder)
    if context is not None:
        missing = f"has no server for cluster {context.cluster[:80]!r} of context {name[:80]!r}"
        raise SettingsError(f"The kubeconfig {merged.source} {missing}: {_CONTEXTS}.")
    missing = "has no current-context" if merged.contexts or merged.clusters else "names no cluster"
    raise NoContextError(f"The kubeconfig {merged.source} {missing}: {_CONTEXTS}.")


def _merge(files: list[Path]) -> _Merged:
    merged = _Merged(os.pathsep.join(map(str, files)))
    for path in files:
        config, folder = _read(path), Path(os.path.abspath(path.parent))  # noqa: PTH100 - links stay as they are
        merged.current_context = merged.current_context or config.current_context
        for cluster in config.clusters:
            merged.clusters.setdefault(cluster.name, (cluster.cluster, folder))
        for user in config.users:
            merged.users.setdefault(user.name, (user.user, folder))
        for context in config.contexts:
            merged.contexts.setdefault(context.name, context.context)
    return merged


def _read(path: Path) -> Kubeconfig:
    try:
        return parse_kubeconfig(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"The kubeconfig {path} cannot be read: {error.strerror}.") from None
    except FormatError as error:
        raise SettingsError(
            f"The kubeconfig {path} cannot be used: {error}. See kubectl --kubeconfig {path} config view."
        ) from None


def _to_client_config(merged: _Merged, context: Context, cluster: Cluster, folder: Path) -> ClientConfig:
    where = f"The kubeconfig {merged.source}: cluster {context.cluster[:80]!r}"
    server = parse_server(cluster.server, where)
    cluster = _check_cluster(cluster, folder, server, where)
    user, user_folder = merged.users.get(context.user, (_NO_USER, Path()))
    about = f"The kubeconfig {merged.source}: user {context.user[:80]!r}"
    user = _check_user(user, user_folder, about)
    if cluster.proxy_url:
        proxy: str | None = check_proxy(cluster.proxy_url, f"{where}: proxy-url", needs_scheme=True)
    else:
        proxy = proxy_of_environment(server)
    if is_tls(server) and user.auth_provider is not None:
        raise SettingsError(
            f"{about} uses auth-provider {user.auth_provider.name[:80]!r}, which is not supported: use a credential "
            "plugin (exec) instead, for example kubelogin."
        )
    if is_tls(server) and not user.has_credentials:
        raise SettingsError(
            f"{about} gives no credentials for the context in use: see kubectl config view --minify and "
            "kubectl auth whoami."
        )
    return ClientConfig(
        server=server,
        source=merged.source,
        namespace=context.namespace or None,
        proxy=proxy,
        # As in kubectl: without TLS neither side authenticates.
        cluster=cluster if is_tls(server) else _NO_CLUSTER,
        user=user if is_tls(server) else _NO_USER,
        impersonation=_to_impersonation(user, about),
        is_compressed=not cluster.is_uncompressed,
    )


def _check_cluster(cluster: Cluster, folder: Path, server: str, where: str) -> Cluster:
    """The cluster with its path resolved. Raises errors.SettingsError."""
    if cluster.ca_file and cluster.ca_data:
        raise SettingsError(f"{where} has certificate-authority and certificate-authority-data: remove one of them.")
    if is_tls(server) and cluster.is_insecure and (cluster.ca_file or cluster.ca_data):
        raise SettingsError(
            f"{where} has insecure-skip-tls-verify and a certificate authority: remove insecure-skip-tls-verify."
        )
    file = _resolve(cluster.ca_file, folder)
    if file:
        _check_readable(file, f"{where}: certificate-authority")
    return cluster.model_copy(update={"ca_file": file})


def _resolve(path: str, folder: Path) -> str:
    """A path in a kubeconfig, relative to its folder. "" stays ""."""
    return os.path.normpath(os.path.join(folder, path)) if path else ""  # noqa: PTH118 - "" and links stay


def _check_readable(path: str, what: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{what} is {path}, which cannot be read: {error.strerror}.") from None


def _check_user(user: User, folder: Path, about: str) -> User:
    """The user with its paths resolved. `about` names the user in messages. Raises errors.SettingsError."""
    if (user.token or user.token_file) and (user.username or user.password):
        raise SettingsError(
            f"{about} has {'token' if user.token else 'tokenFile'} and a user name or password: only one way of "
            "authenticating is allowed."
        )
    files = ("token_file", "certificate_file", "key_file")
    resolved = user.model_copy(update={name: _resolve(getattr(user, name), folder) for name in files})
    if user.has_certificate:
        _check_certificate(resolved, about)
    if user.exec is not None:
        resolved = resolved.model_copy(update={"exec": _check_plugin(user, user.exec, folder, about)})
    for value, name in ((user.token, "token"), (user.username, "username"), (user.password, "password")):
        _check_printable(value, f"{about}: {name}")
    return resolved


def _to_impersonation(user: User, about: str) -> tuple[tuple[str, str], ...]:
    """The impersonation headers. Raises errors.SettingsError."""
    if not user.as_user:
        if user.as_uid or user.as_groups or user.as_user_extra:
            raise SettingsError(f"{about} has as-uid, as-groups or as-user-extra, and not `as`, which they belong to.")
        return ()
    headers = tuple(_impersonation(user))
    for _, value in headers:
        _check_printable(value, f"{about}: as, as-uid, as-groups or as-user-extra")
    return headers


def _impersonation(user: User) -> Iterator[tuple[str, str]]:
    yield "Impersonate-User", user.as_user
    if user.as_uid:
        yield "Impersonate-Uid", user.as_uid
    for group in user.as_groups:
        yield "Impersonate-Group", group
    for key, values in user.as_user_extra.items():
        name = "".join(chr(byte) if chr(byte) in _LEGAL else f"%{byte:02X}" for byte in key.encode())
        for value in values:
            yield f"Impersonate-Extra-{name}", value


def _check_printable(value: str, what: str) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):  # noqa: PLR2004 - the control characters
        raise SettingsError(f"{what} holds a line break or another character that is not allowed in a header.")


def _check_certificate(user: User, about: str) -> None:
    if user.certificate_file and user.certificate_data:
        raise SettingsError(f"{about} has client-certificate and client-certificate-data: remove one of them.")
    if user.key_file and user.key_data:
        raise SettingsError(f"{about} has client-key and client-key-data: remove one of them.")
    if not user.key_file and not user.key_data:
        raise SettingsError(f"{about} has a client certificate and no client-key or client-key-data.")
    for path, name in ((user.certificate_file, "client-certificate"), (user.key_file, "client-key")):
        if path:
            _check_readable(path, f"{about}: {name}")


def _check_plugin(user: User, plugin: Exec, folder: Path, about: str) -> Exec:
    """The plugin with its path resolved and the default of interactiveMode."""
    if user.auth_provider is not None:
        raise SettingsError(f"{about} has exec and auth-provider: remove auth-provider.")
    if not plugin.command:
        raise SettingsError(f"{about}: exec has no command.")
    if plugin.api_version not in API_VERSIONS:
        raise SettingsError(
            f"{about}: exec has apiVersion {plugin.api_version[:80]!r}, which is not supported: "
            f"use {' or '.join(API_VERSIONS)}."
        )
    mode = plugin.interactive_mode or (IF_AVAILABLE if plugin.api_version == _BETA else "")
    if mode not in {NEVER, IF_AVAILABLE, ALWAYS}:
        raise SettingsError(
            f"{about}: exec has interactiveMode {mode[:80]!r}; it has to be {NEVER}, {IF_AVAILABLE} or {ALWAYS}."
        )
    if any(not variable.name for variable in plugin.env):
        raise SettingsError(f"{about}: exec has a variable without a name in env.")
    # A name without a slash is searched on PATH.
    command = _resolve(plugin.command, folder) if "/" in plugin.command else plugin.command
    return plugin.model_copy(update={"command": command, "interactive_mode": mode})


_POD_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


def load_client_config(
    kubeconfig: str | None = None, context: str | None = None, *, pod_folder: Path = _POD_FOLDER
) -> ClientConfig:
    """Read the file in `kubeconfig`, else the files in KUBECONFIG, else ~/.kube/config, else the Pod's ServiceAccount.

    Raises errors.SettingsError if the configuration is invalid or uses a feature that is not supported.
    """
    is_in_pod = kubeconfig is None and (pod_folder / "token").is_file() and bool(os.environ.get(_HOST))
    files = _existing_files(kubeconfig)
    if not files and not context:
        return _from_pod(pod_folder) if is_in_pod else _fail_without_kubeconfig()
    try:
        return read_context(files, context)
    except NoContextError:
        if is_in_pod:
            return _from_pod(pod_folder)
        raise


def _existing_files(kubeconfig: str | None) -> list[Path]:
    if kubeconfig:
        if not _is_there(Path(kubeconfig)):
            raise SettingsError(
                f"The kubeconfig {kubeconfig} does not exist: name one existing file with --kubeconfig, or several "
                "with KUBECONFIG. A ~ is not expanded."
            )
        return [Path(kubeconfig)]
    if named := os.environ.get("KUBECONFIG"):
        return [path for path in map(Path, filter(None, named.split(os.pathsep))) if _is_there(path)]
    default = _home() / "config"
    if _is_there(default):
        return [default]
    if _is_there(old := _home() / ".kubeconfig"):
        # kubectl copies it to the new path. The operator does not write there.
        raise SettingsError(f"{old} is a kubeconfig of an old name, which is not read: mv {old} {default}")
    return []


def _is_there(path: Path) -> bool:
    """False only if the file does not exist. Any other failure shows when the file is read."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _home() -> Path:
    # As kubectl: only the variable counts. The user id may have no entry in /etc/passwd.
    return Path(os.environ.get("HOME", "")) / ".kube"


def _fail_without_kubeconfig() -> NoReturn:
    named = os.environ.get("KUBECONFIG")
    missing = f"KUBECONFIG={named} names no file that exists" if named else "there is no ~/.kube/config"
    legacy = " KUBERNETES_MASTER is not read." if os.environ.get("KUBERNETES_MASTER") else ""
    raise SettingsError(
        f"No way to the Kubernetes API server: {missing}, and this is no Pod with a ServiceAccount's token. Set "
        f"KUBECONFIG or --kubeconfig to a file that kubectl works with.{legacy}"
    )


def _from_pod(folder: Path) -> ClientConfig:
    host, port = os.environ.get(_HOST, ""), os.environ.get(_PORT, "")
    namespace = folder / "namespace"
    _check_readable(str(folder / "ca.crt"), f"{FROM_POD}: its certificate authority")
    return ClientConfig(
        server=parse_server(f"https://{f'[{host}]' if ':' in host else host}:{port}", f"{_HOST} and {_PORT}"),
        source=FROM_POD,
        namespace=namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else None,
        # HTTPS_PROXY of the Pod is for the cloud. A proxy before the API server needs a kubeconfig.
        proxy=None,
        cluster=Cluster.model_validate({"certificate-authority": str(folder / "ca.crt")}),
        user=User.model_validate({"tokenFile": str(folder / "token")}),
    )
