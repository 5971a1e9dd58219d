"""What kopf brings along when it is imported."""

import subprocess
import sys


def test_the_official_client_is_not_loaded_with_kopf() -> None:
    code = (
        "import sys\n"
        "from modelarts_nodepool.watch import kopf_runner\n"
        "assert 'kopf' in sys.modules and kopf_runner\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'kubernetes']\n"
        "import kubernetes\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stderr
