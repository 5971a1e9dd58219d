"""What is asked of both clients: kubeconfigs, environments and flags, each with what has to come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Content = Mapping[str, Any] | str | bytes

CA = "$CA/ca.crt"
BETA, V1 = "client.authentication.k8s.io/v1beta1", "client.authentication.k8s.io/v1"


def a_kubeconfig(server: str = "$A", user: Mapping[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of all types
    """One context `x`, with a token unless a user is given. Fields of the cluster: _ stands for -."""
    fields: dict[str, Any] = {"server": server} | ({"certificate-authority": CA} if server.startswith("$") else {})
    fields |= {name.replace("_", "-"): value for name, value in cluster.items()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {key: value for key, value in fields.items() if value is not None}}],
        "users": [{"name": "u", "user": {"token": "t-one"} if user is None else dict(user)}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
        "current-context": "x",
    }


def as_user(**user: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of all types
    """The usual kubeconfig with this user; _ in a name stands for -."""
    return a_kubeconfig(user={name.replace("_", "-"): value for name, value in user.items()})


@dataclass(frozen=True)
class Row:
    """Files by name, the environment, flags. KUBECONFIG is `k` unless the row says otherwise.

    `ours_refuses`: what our refusal says although kubectl goes on, with the reason beside the row. Otherwise both do
    the same: reach the same server in the same way, or refuse (`refused`, with our words).
    """

    files: Mapping[str, Content] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    kubeconfig: str | None = None
    context: str | None = None
    refused: str | None = None
    ours_refuses: str | None = None

    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": "k"} | dict(self.env)


def one(content: Content, **row: Any) -> Row:  # noqa: ANN401 - fields of all types
    """A row with the one kubeconfig `k`."""
    return Row({"k": content}, **row)


def named(name: str, server: str = "$A", token: str = "t-one") -> dict[str, Any]:  # noqa: S107 - the recorder's
    """A kubeconfig whose context, cluster and user all bear this name."""
    return {
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": CA}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


def without(content: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}


_SECOND = named("x", "$B", "t-two")
_B_ONLY = without(named("b", "$B", "t-two"), "current-context")

FILES = {
    "one file": one(a_kubeconfig()),
    "first current-context of two files wins": Row({"k1": named("a"), "k2": named("b", "$B")}, {"KUBECONFIG": "k1:k2"}),
    "first entry of a name wins, wholly": Row({"k1": named("x"), "k2": _SECOND}, {"KUBECONFIG": "k1:k2"}),
    "nothing of the second entry is added": Row(
        {
            "k1": named("x") | {"users": [{"name": "x", "user": {}}]},
            "k2": _SECOND,
        },
        {"KUBECONFIG": "k1:k2"},
        refused="no credentials",
    ),
    "entries of several files make one context": Row(
        {
            "k1": without(named("x"), "clusters", "users"),
            "k2": without(named("x"), "current-context", "contexts", "users"),
            "k3": without(named("x", token="t-three"), "current-context", "contexts", "clusters"),
        },
        {"KUBECONFIG": "k1:k2:k3"},
    ),
    "current-context of the second file where the first has none": Row(
        {"k1": _B_ONLY, "k2": named("a")}, {"KUBECONFIG": "k1:k2"}
    ),
    "missing files are passed over": Row({"k": a_kubeconfig()}, {"KUBECONFIG": "nowhere:k:elsewhere"}),
    "empty entries are passed over": Row({"k": a_kubeconfig()}, {"KUBECONFIG": ":k::"}),
    "the same file twice": Row({"k": a_kubeconfig()}, {"KUBECONFIG": "k:k"}),
    "an empty file beside a good one": Row({"k1": "", "k2": a_kubeconfig()}, {"KUBECONFIG": "k1:k2"}),
    "a broken file beside a good one": Row(
        {"k1": a_kubeconfig(), "k2": "users: ["}, {"KUBECONFIG": "k1:k2"}, refused="k2 cannot be used"
    ),
    "a folder": Row({"k/file": ""}, refused="k cannot be read: Is a directory"),
    "a file below a file": Row({"k": a_kubeconfig()}, {"KUBECONFIG": "k/k"}, refused="cannot be read: Not a directory"),
    "no file that exists": Row({}, {"KUBECONFIG": "nowhere:elsewhere"}, refused="names no file that exists"),
    "the file of the home folder": Row({"home/.kube/config": a_kubeconfig()}, {"KUBECONFIG": ""}),
    "no kubeconfig at all": Row({}, {"KUBECONFIG": ""}, refused="no ~/.kube/config"),
    "without HOME the folder that one is in counts": Row(
        {".kube/config": a_kubeconfig()}, {"KUBECONFIG": "", "HOME": ""}
    ),
    "a ~ is not expanded": Row({"home/k": a_kubeconfig()}, {"KUBECONFIG": "~/k"}, refused="names no file that exists"),
    # kubectl copies that file to ~/.kube/config; nothing is written here.
    "the old name of the file in the home folder": Row(
        {"home/.kube/.kubeconfig": a_kubeconfig()}, {"KUBECONFIG": ""}, ours_refuses="an old name"
    ),
    "--kubeconfig alone, not merged": Row({"k": named("x", "$B"), "f": named("z")}, kubeconfig="f"),
    "--kubeconfig is one path": Row({"k1": a_kubeconfig(), "k2": ""}, kubeconfig="k1:k2", refused="does not exist"),
    "--kubeconfig that is missing": Row({"k": a_kubeconfig()}, kubeconfig="nowhere", refused="does not exist"),
    "--kubeconfig that is empty": Row({"k": a_kubeconfig(), "f": ""}, kubeconfig="f", refused="names no cluster"),
}

CONTEXTS = {
    "--context": one(named("x") | {"contexts": [{"name": "z", "context": {"cluster": "x", "user": "x"}}]}, context="z"),
    "--context that is missing": one(a_kubeconfig(), context="z", refused="no context 'z'"),
    "current-context that is missing": one(a_kubeconfig() | {"current-context": "z"}, refused="no context 'z'"),
    "no current-context": one(without(a_kubeconfig(), "current-context"), refused="no current-context"),
    "empty current-context": one(a_kubeconfig() | {"current-context": ""}, refused="no current-context"),
    "a context without a name": one(
        a_kubeconfig() | {"current-context": "", "contexts": [{"context": {"cluster": "c", "user": "u"}}]}
    ),
    "a context without a cluster": one(
        a_kubeconfig() | {"contexts": [{"name": "x", "context": {"user": "u"}}]}, refused="no server for cluster ''"
    ),
    "a cluster that is missing": one(a_kubeconfig() | {"clusters": []}, refused="no server for cluster 'c'"),
    "a user that is missing": one(a_kubeconfig() | {"users": []}, refused="no credentials"),
    "a context of null": one(a_kubeconfig() | {"contexts": [{"name": "x", "context": None}]}, refused="no server"),
    # kubectl would use it; a kubeconfig says it better.
    "KUBERNETES_MASTER": Row({}, {"KUBECONFIG": "", "KUBERNETES_MASTER": "$PLAIN"}, ours_refuses="KUBERNETES_MASTER"),
}

_TEXT = """\
apiVersion: v1
kind: Config
current-context: x
clusters: [{name: c, cluster: {server: $A, certificate-authority: $CA/ca.crt}}]
users: [{name: u, user: {token: t-one}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
"""
_JSON_WITH_TABS = """\
{
\t"current-context": "x",
\t"clusters": [{"name": "c", "cluster": {"server": "$A", "certificate-authority": "$CA/ca.crt"}}],
\t"users": [{"name": "u", "user": {"token": "t-one"}}],
\t"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
}
"""


def changed(old: str, new: str, **row: Any) -> Row:  # noqa: ANN401 - fields of all types
    """The text with one change."""
    assert old in _TEXT
    return one(_TEXT.replace(old, new), **row)


FORMATS = {
    "JSON": one(_JSON_WITH_TABS.replace("\t", " ")),
    "JSON indented with tabs": one(_JSON_WITH_TABS),
    "YAML with a byte order mark": one("\ufeff" + _TEXT),
    "JSON with a byte order mark": one("\ufeff" + _JSON_WITH_TABS),
    "a second document": one(_TEXT + "---\ncurrent-context: y\n"),
    "a second document that is broken": one(_TEXT + "---\n{\n"),
    "a document that begins with dashes": one("---\n" + _TEXT),
    "no apiVersion and no kind": changed("apiVersion: v1\nkind: Config\n", ""),
    "another apiVersion": changed("apiVersion: v1", "apiVersion: v2", refused="apiVersion and kind"),
    "another kind": changed("kind: Config", "kind: Pod", refused="apiVersion and kind"),
    "an apiVersion that is null": changed("apiVersion: v1", "apiVersion: null"),
    "unknown fields": changed("kind: Config", "kind: Config\nfuture: {a: [1]}\npreferences: {colors: true}"),
    "an unknown field in an entry": changed("{token: t-one}", "{token: t-one, future: 1}"),
    "another case of a field": changed("{token: t-one}", "{Token: t-one}", refused="no credentials"),
    "a key twice": changed("current-context: x", "current-context: y\ncurrent-context: x"),
    "a name twice in a list": changed(
        "users: [", "users: [{name: u, user: {token: t-zero}}, ", refused="users have the name 'u' twice"
    ),
    "an anchor and a merge key": changed("{token: t-one}}]", "&base {token: t-one}}, {name: v, user: {<<: *base}}]"),
    "a number for text": changed("token: t-one", "token: 12345", refused="token"),
    "a number with an exponent for text": changed("token: t-one", "token: 1e3", refused="token"),
    "a date for text": changed("token: t-one", "token: 2020-01-02"),
    "a time for text": changed("token: t-one", "token: 12:30:45"),
    "a boolean for text": changed("token: t-one", "token: yes", refused="token"),
    "one letter that YAML takes for a boolean": changed("token: t-one", "token: y", refused="token"),
    "an octal number for text": changed("token: t-one", "token: 0o17", refused="token"),
    "a list for text": changed("token: t-one", "token: [t-one]", refused="token"),
    "a wrong type in an entry that is not used": changed(
        "users: [", "users: [{name: v, user: {token: 1}}, ", refused="token"
    ),
    "lists that are null": changed("kind: Config", "kind: Config\nextensions: null", refused=None),
    "text for a list": one("clusters: c\n", refused="clusters"),
    "just text": one("just text\n", refused="cannot be used"),
    "a list": one("- a\n", refused="cannot be used"),
    "only a comment": one("# nothing\n", refused="names no cluster"),
    "only spaces": one("  \n", refused="names no cluster"),
    "no YAML": one("users: [{token: t-secret\n", refused="neither YAML nor JSON"),
    "bytes that are no text": one(b"\xff\xfe\xfd\x00\x80", refused="cannot be used"),
    "data that is not base64": changed(
        "certificate-authority: $CA/ca.crt", "certificate-authority-data: '***'", refused="certificate-authority-data"
    ),
    "extensions of others": changed(
        "certificate-authority: $CA/ca.crt",
        "certificate-authority: $CA/ca.crt, extensions: [{name: minikube, extension: {version: v1}}]",
    ),
}
