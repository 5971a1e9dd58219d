"""The errors of the local control plane. Every module of this package raises them, callers catch the root.

ControlPlaneError
├── BinariesUnavailableError   no way led to a working kube-apiserver, etcd, …
├── DownloadError              one download failed; the Go build is tried next
├── ServerStoppedError         a server ended although nobody asked it to
│   └── PortTakenError         … because its port was taken in the meantime
├── NotReadyError              a server runs and does not become ready
└── KubectlError               kubectl answered with an exit code other than 0
"""


class ControlPlaneError(Exception):
    """Something about the local control plane failed; the message says what to do next."""


class BinariesUnavailableError(ControlPlaneError):
    """The binaries are neither at hand nor could they be had."""


class DownloadError(ControlPlaneError):
    """A file could not be fetched, or is not the one that was published."""


class ServerStoppedError(ControlPlaneError):
    """A server process ended by itself."""


class PortTakenError(ServerStoppedError):
    """Somebody took the port between our choice and the server's start."""


class NotReadyError(ControlPlaneError):
    """A server did not become ready in time."""


class KubectlError(ControlPlaneError):
    """A kubectl command failed."""
