"""The token in a file that the kubelet projects and rotates. Read anew each time it is needed, never kept."""

from pathlib import Path

from modelarts_nodepool.credentials.temporary_key import is_fit_for_a_header
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import redact

_LONGEST_TOKEN = 64 * 1024
_ADVICE = "mount a projected service account token there, see docs/operations/credentials.md"


def read_token(path: str, variable: str) -> str:
    """The token without the white space around it; `variable` is what names the file. Never shown in logs."""
    token, why = "", ""
    try:
        token = _read(Path(path))
    except OSError as error:
        why = error.strerror or type(error).__name__
    except ValueError:
        why = "it is no ASCII text"
    # Behind the except blocks: the error raised here has no context that could hold the file's content.
    if why:
        raise CredentialsUnavailable(f"the token file that {variable} names cannot be read: {why}; {_ADVICE}")
    if not is_fit_for_a_header(token):
        raise CredentialsUnavailable(f"the token file that {variable} names does not hold one token; {_ADVICE}")
    redact(token)
    return token


def _read(path: Path) -> str:
    # A pipe or a device would keep us waiting for ever.
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such regular file")
    with path.open("rb") as file:
        return file.read(_LONGEST_TOKEN).decode("ascii").strip()
