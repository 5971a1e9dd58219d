"""The real helm, bound to one control plane and to folders that are not the user's. A pytest plugin by import only."""

import os
import subprocess
from pathlib import Path

from lab.controlplane import ControlPlane, KubectlResult
from tests.support.crds import REPOSITORY
from tests.support.limits import HANGING_SECONDS
from tests.support.manifests import Object, objects_in
from tests.support.operator import NAMESPACE

CHART = REPOSITORY / "deploy" / "helm" / "modelarts-nodepool-operator"
VALUE_FILES = sorted(CHART.glob("values*.yaml"))
RELEASE = "operator"
# What helm knows of a cluster that it asks, and Argo CD tells it; without it no hook is rendered.
OF_A_CLUSTER = ("--api-versions", "apiregistration.k8s.io/v1")


class Helm:
    """Call `run`; `install` is how the chart's README says it."""

    def __init__(self, binary: Path, home: Path, plane: ControlPlane | None = None) -> None:
        """Without a control plane only what needs none, such as `template`."""
        self._binary = binary
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HELM", "KUBE"))}
        folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        access = plane.kubectl.environment() if plane else {"KUBECONFIG": str(home / "none")}
        self._environment = kept | access | folders

    def run(self, *args: str, check: bool = True) -> KubectlResult:
        """What helm printed and its exit code."""
        done = subprocess.run(  # noqa: S603 - the pinned helm
            [self._binary, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGING_SECONDS,
            env=self._environment,
        )
        assert not check or done.returncode == 0, f"helm {' '.join(args)}: {done.stdout}{done.stderr}"
        return KubectlResult(done.stdout, done.stderr, done.returncode)

    def install(self, *values: Path, chart: Path = CHART, more: tuple[str, ...] = ()) -> str:
        """Install or upgrade; what the NOTES say."""
        files = [word for path in values for word in ("-f", str(path))]
        where = ("-n", NAMESPACE, "--create-namespace")
        return self.run("upgrade", "--install", RELEASE, str(chart), *where, *files, *more).stdout


def rendered(helm: Helm, *args: str) -> list[Object]:
    """The objects that `helm template` makes of the chart without a cluster."""
    return objects_in(helm.run("template", RELEASE, str(CHART), "-n", NAMESPACE, *args).stdout)


def refusal(helm: Helm, *args: str) -> str:
    """What `helm template` says; it has to fail."""
    done = helm.run("template", RELEASE, str(CHART), "-n", NAMESPACE, *args, check=False)
    assert done.code != 0, done.stdout[:2000]
    return done.stderr
