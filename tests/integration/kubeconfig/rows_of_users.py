"""Who asks: tokens, passwords, certificates, impersonation, credential plugins."""

import json
from collections.abc import Mapping
from typing import Any

from tests.integration.kubeconfig.rows import BETA, V1, Row, a_kubeconfig, as_user, one

ALICE = {"client-certificate": "$CA/alice.crt", "client-key": "$CA/alice.key"}
# Prints what it is told, so that the recorder sees it as the token.
_TELLS = """\
#!/bin/sh
told=$(printf '%s' "$KUBERNETES_EXEC_INFO" | base64 | tr -d '\\n')
printf '{"kind":"ExecCredential","apiVersion":"%s","status":{"token":"%s"}}' "$VERSION" "$told"
"""
_SAYS = """\
#!/bin/sh
printf '{"kind":"ExecCredential","apiVersion":"%s","status":%s}' "$VERSION" "$STATUS"
"""


def exec_of(command: str = "./plugin", version: str = V1, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of all types
    """The `exec` of a user, with VERSION in its environment. STATUS is what the plugin prints as its status."""
    status = spec.pop("status", {"token": "t-plugin"})
    env = {"VERSION": spec.pop("answers", version), "STATUS": json.dumps(status), **spec.pop("env", {})}
    mode = {"interactiveMode": "Never"} if version == V1 else {}
    return {
        "apiVersion": version,
        "command": command,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        **mode,
        **spec,
    }


def plugin(script: str = _SAYS, *, files: Mapping[str, str] | None = None, **spec: Any) -> Row:  # noqa: ANN401 - fields of all types
    """A row with a kubeconfig `k` whose user runs ./plugin."""
    row = {name: spec.pop(name) for name in ("refused", "ours_refuses", "env_of_both") if name in spec}
    env = row.pop("env_of_both", {})
    other = spec.pop("user", {})
    cluster = spec.pop("cluster", {})
    content = a_kubeconfig(user={"exec": exec_of(**spec), **other}, **cluster)
    return Row({"k": content, "plugin": script, **(files or {})}, env, **row)


TOKENS = {
    "token": one(as_user(token="t-one")),
    "token of a file": Row({"k": as_user(tokenFile="token"), "token": "t-file"}),
    "token of a file that ends with a line break": Row({"k": as_user(tokenFile="token"), "token": " t-file\n\n"}),
    "token of a file beside the kubeconfig, not beside us": Row(
        {"sub/k": as_user(tokenFile="../token"), "token": "t-file"}, {"KUBECONFIG": "sub/k"}
    ),
    "token of a file goes before a token": Row({"k": as_user(token="t-one", tokenFile="token"), "token": "t-file"}),
    "token where its file is missing": one(as_user(token="t-one", tokenFile="nowhere")),
    "token where its file is empty": Row({"k": as_user(token="t-one", tokenFile="token"), "token": "\n"}),
    "token of a file that is missing": one(as_user(tokenFile="nowhere"), refused="cannot be read from"),
    "token of a file that is empty": Row({"k": as_user(tokenFile="token"), "token": ""}, refused="it is empty"),
    "token of a file with nothing but a line break": Row(
        {"k": as_user(tokenFile="token"), "token": "\n"}, refused="it is empty"
    ),
    "token with a line break": one(as_user(token="t-one\nX-Other: 1"), refused="not allowed in a header"),
    "token with spaces around it": one(as_user(token=" t-one ")),
    "password": one(as_user(username="alice", password="p:w ä")),
    "user name without a password": one(as_user(username="alice")),
    "password without a user name": one(as_user(password="pw"), refused="no credentials"),
    "token and password": one(as_user(token="t", username="alice", password="pw"), refused="only one way"),
    "token of a file and password": Row(
        {"k": as_user(tokenFile="token", username="alice", password="pw"), "token": "t"}, refused="only one way"
    ),
    "no credentials": one(as_user(), refused="no credentials"),
    "auth-provider that was removed": one(
        as_user(auth_provider={"name": "gcp", "config": {}}), refused="auth-provider 'gcp'"
    ),
    "auth-provider that nobody knows": one(as_user(auth_provider={"name": "other"}), refused="auth-provider 'other'"),
    # kubectl still has this one, and writes renewed tokens into the kubeconfig.
    "auth-provider oidc": one(
        as_user(
            auth_provider={
                "name": "oidc",
                "config": {"idp-issuer-url": "https://issuer.invalid", "client-id": "c", "id-token": "a.e30.c"},
            }
        ),
        ours_refuses="auth-provider 'oidc', which is not supported: use a credential plugin",
    ),
}

CERTIFICATES = {
    "certificate": one(as_user(**ALICE)),
    "certificate as data": Row(
        {"k": a_kubeconfig(user={"client-certificate-data": "$ALICE", "client-key-data": "$KEY"})}
    ),
    "certificate in a file and key as data": one(
        a_kubeconfig(user={"client-certificate": "$CA/alice.crt", "client-key-data": "$KEY"})
    ),
    "certificate and token": one(as_user(**ALICE, token="t-one")),
    "certificate and password": one(as_user(**ALICE, username="alice", password="pw")),
    "certificate beside the kubeconfig": Row(
        {"sub/k": as_user(client_certificate="alice.crt", client_key="alice.key"), "sub/link": "$CA"},
        {"KUBECONFIG": "sub/k"},
    ),
    "certificate without a key": one(as_user(client_certificate="$CA/alice.crt"), refused="no client-key"),
    "key without a certificate": one(as_user(client_key="$CA/alice.key"), refused="no credentials"),
    "certificate in a file and as data": one(
        a_kubeconfig(user={**ALICE, "client-certificate-data": "$ALICE"}), refused="remove one of them"
    ),
    "key in a file and as data": one(a_kubeconfig(user={**ALICE, "client-key-data": "$KEY"}), refused="remove one"),
    "certificate that is missing": one(as_user(**ALICE | {"client-certificate": "no.crt"}), refused="cannot be read"),
    "key that is missing": one(as_user(**ALICE | {"client-key": "no.key"}), refused="cannot be read"),
    "key of somebody else": one(as_user(**ALICE | {"client-key": "$CA/bob.key"}), refused="belong together"),
    "key that is encrypted": one(as_user(**ALICE | {"client-key": "$CA/alice.encrypted.key"}), refused="encrypted"),
    "certificate that is none": one(as_user(**ALICE | {"client-certificate": "$CA/empty"}), refused="PEM"),
}

IMPERSONATION = {
    "as": one(as_user(token="t", **{"as": "jane"})),
    "as with everything": one(
        as_user(
            token="t",
            **{
                "as": "jane",
                "as-uid": "u-1",
                "as-groups": ["developers", "system:masters"],
                "as-user-extra": {"scopes": ["view", "edit"], "example.com/Reason%": ["it is needed"]},
            },
        )
    ),
    "as with a certificate": one(as_user(**ALICE, **{"as": "jane"})),
    "as without any credentials": one(as_user(**{"as": "jane"}), refused="no credentials"),
    "as without TLS": one(a_kubeconfig("$PLAIN", user={"token": "t", "as": "jane", "as-groups": ["g"]})),
    "as-groups without as": one(as_user(token="t", **{"as-groups": ["g"]}), refused="as-groups"),
    "as-uid without as": one(as_user(token="t", **{"as-uid": "1"}), refused="as-uid"),
    "as-user-extra without as": one(as_user(token="t", **{"as-user-extra": {"a": ["b"]}}), refused="as-user-extra"),
    "as with a line break": one(as_user(token="t", **{"as": "jane\nImpersonate-Group: x"}), refused="not allowed"),
}

PLUGINS = {
    "token of a plugin": plugin(),
    "token of a plugin of v1beta1": plugin(version=BETA),
    "certificate of a plugin": plugin(status={"clientCertificateData": "$PEMCERT", "clientKeyData": "$PEMKEY"}),
    "token and certificate of a plugin": plugin(
        status={"token": "t", "clientCertificateData": "$PEMCERT", "clientKeyData": "$PEMKEY"}
    ),
    "what a plugin is told": plugin(_TELLS),
    "what a plugin of v1beta1 is told": plugin(_TELLS, version=BETA),
    "what a plugin is told of the cluster": plugin(_TELLS, provideClusterInfo=True),
    "what a plugin is told of a cluster with everything": plugin(
        _TELLS,
        provideClusterInfo=True,
        cluster={
            "tls_server_name": "kube.example",
            "disable_compression": True,
            "proxy_url": "$PROXY",
            "extensions": [
                {
                    "name": "client.authentication.k8s.io/exec",
                    "extension": {"audience": "a", "deep": {"list": [1, 2.5, True, None], "word": "<&>"}},
                }
            ],
        },
    ),
    "a plugin on PATH": Row(
        {"k": as_user(exec=exec_of("its-plugin")), "bin/its-plugin": _SAYS}, {"PATH": "$DIR/bin:/usr/bin:/bin"}
    ),
    "a plugin that PATH finds in the folder one is in": Row(
        {"k": as_user(exec=exec_of("its-plugin")), "its-plugin": _SAYS},
        {"PATH": ".:/usr/bin:/bin"},
        refused="not on PATH",
    ),
    "a plugin beside the kubeconfig": Row(
        {"sub/k": as_user(exec=exec_of("./plugin")), "sub/plugin": _SAYS}, {"KUBECONFIG": "sub/k"}
    ),
    "a plugin below the kubeconfig": Row(
        {"sub/k": as_user(exec=exec_of("bin/plugin")), "sub/bin/plugin": _SAYS}, {"KUBECONFIG": "sub/k"}
    ),
    "arguments of a plugin": plugin('#!/bin/sh\nSTATUS="{\\"token\\":\\"$1-$2-$#\\"}"\n' + _SAYS, args=["a b", "*"]),
    "its environment goes before ours": plugin(
        '#!/bin/sh\nSTATUS="{\\"token\\":\\"$MINE-$THEIRS\\"}"\n' + _SAYS,
        env={"MINE": "from-the-kubeconfig"},
        env_of_both={"MINE": "from-outside", "THEIRS": "kept"},
    ),
    "an expirationTimestamp": plugin(status={"token": "t", "expirationTimestamp": "2035-01-02T03:04:05Z"}),
    "an expirationTimestamp that is no time": plugin(
        status={"token": "t", "expirationTimestamp": "soon"}, refused="expirationTimestamp"
    ),
    "YAML from a plugin": plugin(
        "#!/bin/sh\nprintf 'kind: ExecCredential\\napiVersion: %s\\nstatus: {token: t-yaml}\\n' $VERSION\n"
    ),
    "a plugin that is not there": plugin(command="./nowhere", installHint="get it", refused="get it"),
    "a plugin that is not on PATH": plugin(command="no-such-plugin", installHint="get it", refused="get it"),
    "a plugin that fails": plugin("#!/bin/sh\necho its words >&2\nexit 3\n", refused="exit code 3"),
    "a plugin that may not be run": plugin("echo no script\n", refused="cannot be run: Permission denied"),
    "a plugin that prints nothing": plugin("#!/bin/sh\n", refused="printed no ExecCredential"),
    "a plugin that prints words": plugin("#!/bin/sh\necho please log in\n", refused="printed no ExecCredential"),
    "a plugin that answers in another version": plugin(answers=BETA, refused=f"no ExecCredential of {V1}"),
    "a plugin without a status": plugin(status=None, refused="neither a token nor a certificate"),
    "a plugin with an empty status": plugin(status={}, refused="neither a token nor a certificate"),
    "a certificate without a key": plugin(status={"clientCertificateData": "$PEMCERT"}, refused="not both"),
    "a certificate that is none": plugin(
        status={"clientCertificateData": "words", "clientKeyData": "words"}, refused="cannot be used"
    ),
    "an old version of the protocol": plugin(
        version="client.authentication.k8s.io/v1alpha1", interactiveMode="Never", refused="v1alpha1"
    ),
    "no version": plugin(version="", interactiveMode="Never", refused="apiVersion ''"),
    "no command": plugin(command="", refused="no command"),
    "no interactiveMode in v1": plugin(interactiveMode=None, refused="interactiveMode ''"),
    "an interactiveMode that is none": plugin(interactiveMode="Sometimes", refused="interactiveMode 'Sometimes'"),
    "interactiveMode Always without a terminal": plugin(interactiveMode="Always", refused="not a terminal"),
    "interactiveMode IfAvailable without a terminal": plugin(_TELLS, interactiveMode="IfAvailable"),
    "a variable without a name": plugin(env={"": "value"}, refused="variable without a name"),
    "plugin and token": plugin(user={"token": "t-one"}),
    "plugin and password": plugin(user={"username": "alice", "password": "pw"}),
    "plugin and certificate": plugin(user=ALICE),
    "plugin and auth-provider": plugin(user={"auth-provider": {"name": "gcp"}}, refused="auth-provider"),
    "plugin without TLS": Row({"k": a_kubeconfig("$PLAIN", user={"exec": exec_of()}), "plugin": "#!/bin/sh\nexit 1\n"}),
    "plugin and as": plugin(user={"as": "jane"}),
    "a plugin that is not asked has to be right all the same": plugin(
        user={"token": "t-one"}, version="future/v9", interactiveMode="Never", refused="future/v9"
    ),
}
