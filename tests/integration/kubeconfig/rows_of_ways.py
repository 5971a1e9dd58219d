"""The way there: servers, TLS, proxies."""

from collections.abc import Mapping
from typing import Any

from tests.integration.kubeconfig.rows import CA, Row, a_kubeconfig, one

# Not resolvable anywhere: only a proxy can lead there. The recorder's proxies take every host for this machine.
FAR = "https://kube.example:$PORT"
FAR_PLAIN = "http://kube.example:$PORTPLAIN"


def far(env: Mapping[str, str], server: str = FAR, **row: Any) -> Row:  # noqa: ANN401 - fields of all types
    """A server that is not on this machine, and an environment."""
    return one(a_kubeconfig(server, certificate_authority=CA), env=env, **row)


def near(env: Mapping[str, str], server: str = "$A", **row: Any) -> Row:  # noqa: ANN401 - fields of all types
    """A server on this machine, and an environment."""
    return one(a_kubeconfig(server), env=env, **row)


def by_kubeconfig(proxy: str, server: str = FAR, env: Mapping[str, str] | None = None, **row: Any) -> Row:  # noqa: ANN401 - fields of all types
    return one(a_kubeconfig(server, certificate_authority=CA, proxy_url=proxy), env=env or {}, **row)


SERVERS = {
    "a trailing slash": one(a_kubeconfig("$A/")),
    "a path": one(a_kubeconfig("$A/k8s/clusters/c-1")),
    "a path with a trailing slash": one(a_kubeconfig("$A/k8s/clusters/c-1/")),
    "a path with two slashes": one(a_kubeconfig("$A//k8s//")),
    "a query and a fragment behind a path": one(a_kubeconfig("$A/k8s?a=b#c")),
    "a query without a path": one(a_kubeconfig("$A?a=b")),
    "a name": one(a_kubeconfig("https://localhost:$PORT", certificate_authority=CA)),
    "a scheme in capitals": one(a_kubeconfig("HTTPS://localhost:$PORT", certificate_authority=CA)),
    "without TLS no credentials are sent": one(a_kubeconfig("$PLAIN")),
    "without TLS a password is not sent": one(a_kubeconfig("$PLAIN", user={"username": "a", "password": "b"})),
    "without TLS no auth-provider is needed": one(a_kubeconfig("$PLAIN", user={"auth-provider": {"name": "gcp"}})),
    "without TLS and without a user": one(a_kubeconfig("$PLAIN", user={})),
    "without TLS a missing token file does not matter": one(a_kubeconfig("$PLAIN", user={"tokenFile": "nowhere"})),
    "without a scheme": one(a_kubeconfig("127.0.0.1:$PORTPLAIN")),
    "a name without a scheme": one(a_kubeconfig("localhost:$PORTPLAIN")),
    "a path without a scheme": one(a_kubeconfig("127.0.0.1:$PORTPLAIN/k8s"), refused="not a URL such as"),
    "another scheme": one(a_kubeconfig("ftp://127.0.0.1:$PORT"), refused="ftp://"),
    "no host": one(a_kubeconfig("https://"), refused="not a URL such as"),
    "a port that is none": one(a_kubeconfig("https://127.0.0.1:port"), refused="not a URL such as"),
    "spaces": one(a_kubeconfig(" https://127.0.0.1:$PORT"), refused="not a URL such as"),
    "an empty server": one(a_kubeconfig(""), refused="no server for cluster 'c'"),
    # kubectl logs in with it.
    "a user name in the URL": one(
        a_kubeconfig("https://alice:pw@127.0.0.1:$PORT", certificate_authority=CA, user={}),
        ours_refuses="a user name in its URL",
    ),
    "a user name in the URL beside a token": one(
        a_kubeconfig("https://alice:pw@127.0.0.1:$PORT", certificate_authority=CA),
        ours_refuses="a user name in its URL",
    ),
    "disable-compression": one(a_kubeconfig(disable_compression=True)),
    "nobody there": one(a_kubeconfig("https://127.0.0.1:1", certificate_authority=CA), refused="127.0.0.1:1"),
}

TLS = {
    "authority as data": one(a_kubeconfig(certificate_authority=None, certificate_authority_data="$CADATA")),
    "authority beside the kubeconfig": Row(
        {"sub/k": a_kubeconfig(certificate_authority="its/ca.crt"), "sub/its/ca.crt": "$CAPEM"}, {"KUBECONFIG": "sub/k"}
    ),
    "authority of the second file, beside that": Row(
        {
            "k1": {key: value for key, value in a_kubeconfig().items() if key != "clusters"},
            "sub/k2": {"clusters": a_kubeconfig(certificate_authority="ca.crt")["clusters"]},
            "sub/ca.crt": "$CAPEM",
        },
        {"KUBECONFIG": "k1:sub/k2"},
    ),
    "authority in a file and as data": one(
        a_kubeconfig(certificate_authority_data="$CADATA"), refused="remove one of them"
    ),
    "authority that is missing": one(a_kubeconfig(certificate_authority="nowhere"), refused="cannot be read"),
    "authority that is empty": one(a_kubeconfig(certificate_authority="$CA/empty"), refused="cannot be read"),
    "authority that is none": one(a_kubeconfig(certificate_authority="$CA/alice.key"), refused="PEM"),
    "authority that is another": one(a_kubeconfig(certificate_authority="$CA/itself.crt"), refused="Certificate"),
    "authority among other things in its file": Row(
        {"k": a_kubeconfig(certificate_authority="bundle"), "bundle": "words before\n$ITSELFPEM\nä\n$CAPEM\nafter"}
    ),
    "no authority": one(a_kubeconfig(certificate_authority=None), refused="Certificate"),
    "no authority, but SSL_CERT_FILE": one(
        a_kubeconfig(certificate_authority=None), env={"SSL_CERT_FILE": "$CA/ca.crt"}
    ),
    "insecure": one(a_kubeconfig("$ITSELF", certificate_authority=None, insecure_skip_tls_verify=True)),
    "insecure and an authority": one(a_kubeconfig(insecure_skip_tls_verify=True), refused="insecure-skip-tls-verify"),
    "insecure and an authority without TLS": one(a_kubeconfig("$PLAIN", insecure_skip_tls_verify=True)),
    "insecure says its own name": one(
        a_kubeconfig(
            "$NAMED", certificate_authority=None, insecure_skip_tls_verify=True, tls_server_name="kube.example"
        )
    ),
    "tls-server-name": one(a_kubeconfig(tls_server_name="kube.example")),
    "tls-server-name that is not the server's": one(
        a_kubeconfig(tls_server_name="other.example"), refused="Certificate"
    ),
    "tls-server-name through a proxy": by_kubeconfig("$PROXY", "https://other.example:$PORT", refused="Certificate"),
    "a certificate that vouches for itself": one(a_kubeconfig("$ITSELF", certificate_authority="$CA/itself.crt")),
    "a certificate with the name in its subject alone": one(
        a_kubeconfig("$NAMED", tls_server_name="kube.example"), refused="Certificate"
    ),
}

PROXIES = {
    "HTTPS_PROXY": far({"HTTPS_PROXY": "$PROXY"}),
    "https_proxy": far({"https_proxy": "$PROXY"}),
    "HTTPS_PROXY goes before https_proxy": far({"HTTPS_PROXY": "$PROXY", "https_proxy": "http://127.0.0.1:1"}),
    "an empty HTTPS_PROXY does not hide https_proxy": far({"HTTPS_PROXY": "", "https_proxy": "$PROXY"}),
    "a proxy without a scheme": far({"HTTPS_PROXY": "$HOSTPROXY"}),
    "a proxy with a path": far({"HTTPS_PROXY": "$PROXY/path"}),
    "a proxy with TLS": far({"HTTPS_PROXY": "$SECUREPROXY"}),
    "a proxy with a password": far({"HTTPS_PROXY": "http://al%40ce:p%3Aw@$HOSTPROXY"}),
    "HTTP_PROXY for a server without TLS": far({"HTTP_PROXY": "$PROXY"}, FAR_PLAIN),
    "HTTP_PROXY with a password": far({"HTTP_PROXY": "http://alice:pw@$HOSTPROXY"}, FAR_PLAIN),
    "HTTP_PROXY does not matter with TLS": far({"HTTP_PROXY": "$PROXY"}, refused="kube.example"),
    "HTTPS_PROXY does not matter without TLS": far({"HTTPS_PROXY": "$PROXY"}, FAR_PLAIN, refused="kube.example"),
    "ALL_PROXY does not matter": far({"ALL_PROXY": "$PROXY", "all_proxy": "$PROXY"}, refused="kube.example"),
    "HTTP_PROXY in a CGI script": far(
        {"HTTP_PROXY": "$PROXY", "REQUEST_METHOD": "GET"}, FAR_PLAIN, refused="REQUEST_METHOD"
    ),
    "loopback never": near({"HTTPS_PROXY": "$PROXY"}),
    "localhost never": near({"HTTPS_PROXY": "$PROXY"}, "https://localhost:$PORT", refused="Certificate"),
    "loopback without TLS never": near({"HTTP_PROXY": "$PROXY"}, "$PLAIN"),
    "a proxy that refuses": far({"HTTPS_PROXY": "$PROXY"}, refused="407"),
    "nobody at the proxy": far({"HTTPS_PROXY": "http://127.0.0.1:1"}, refused="127.0.0.1:1"),
    # kubectl connects as if there were none.
    "a proxy that is no address": far(
        {"HTTPS_PROXY": "http://pro xy:3128"}, ours_refuses="HTTPS_PROXY is not the address"
    ),
    "a proxy that is no address does not matter on loopback": near({"HTTPS_PROXY": "http://pro xy:3128"}),
    "a SOCKS5 proxy": far({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, ours_refuses="HTTPS_PROXY is a SOCKS5 proxy"),
    "another scheme for a proxy": far({"HTTPS_PROXY": "ftp://127.0.0.1:1"}, refused="HTTPS_PROXY is not the address"),
    "proxy-url": by_kubeconfig("$PROXY"),
    "proxy-url with TLS": by_kubeconfig("$SECUREPROXY"),
    "proxy-url with a password": by_kubeconfig("http://alice:pw@$HOSTPROXY"),
    "proxy-url without TLS": by_kubeconfig("$PROXY", FAR_PLAIN),
    "proxy-url for loopback, too": by_kubeconfig("$PROXY", "$A"),
    "proxy-url goes before HTTPS_PROXY": by_kubeconfig("$PROXY", env={"HTTPS_PROXY": "http://127.0.0.1:1"}),
    "proxy-url goes before NO_PROXY": by_kubeconfig("$PROXY", env={"NO_PROXY": "*"}),
    "an empty proxy-url": by_kubeconfig("", env={"HTTPS_PROXY": "$PROXY"}),
    "proxy-url without a scheme": by_kubeconfig("$HOSTPROXY", refused="proxy-url is not the address"),
    "proxy-url that is none": by_kubeconfig("http://pro xy", refused="proxy-url is not the address"),
    "proxy-url with SOCKS5": by_kubeconfig("socks5://127.0.0.1:1", ours_refuses="proxy-url is a SOCKS5 proxy"),
    "a certificate through a proxy": one(
        a_kubeconfig(
            FAR, user={"client-certificate": "$CA/alice.crt", "client-key": "$CA/alice.key"}, certificate_authority=CA
        ),
        env={"HTTPS_PROXY": "$PROXY"},
    ),
}
# NO_PROXY entries, and whether the server stays away from the proxy then. Nothing answers there directly.
EXCEPTIONS = {
    "kube.example": True,
    "KUBE.Example": True,
    " kube.example , other": True,
    "other,kube.example": True,
    "example": True,
    ".example": True,
    "*.example": True,
    "*": True,
    "ube.example": False,
    ".kube.example": False,
    "*.kube.example": False,
    "*example": False,
    "kube.*": False,
    "kube.example:$PORT": True,
    "kube.example:1": False,
    ".example:$PORT": True,
    "kube.example:": True,
    "https://kube.example": False,
    "": False,
    ",": False,
}
ADDRESSES = {
    "203.0.113.7": True,
    "203.0.113.0/24": True,
    "203.0.113.7/32": True,
    "203.0.113.9/24": True,
    "0.0.0.0/0": True,
    "203.0.113.7:$PORT": True,
    "203.0.113.7:1": False,
    "203.0.113.0/255.255.255.0": False,
    "203.0.113.": False,
    ".7": False,
    "203.0.113": False,
    "203.0.113.8": False,
    "203.0.114.0/24": False,
    "::/0": False,
}
