"""What is shipped is what the API server stores: a GitOps tool sees no difference once it has applied it.

Argo CD compares what Git says with what is stored, field by field, and shows OutOfSync where a field was dropped or
written differently (`priority: 0` of a printer column, `1000m` of CPU). Flux compares by a dry run of server-side
apply, `kubectl diff` by either way. All of them are asked about every object.
"""

import base64
import json
from collections.abc import Iterator, Sequence

import pytest
import yaml

from lab.controlplane import Binaries, ControlPlane
from tests.support.api import NAMESPACES as NAMESPACES_PATH
from tests.support.api import Api
from tests.support.crds import REPOSITORY, until_served
from tests.support.emptying import let_crds_go, refuse_nothing
from tests.support.helm import CHART, RELEASE, VALUE_FILES, Helm
from tests.support.kustomize import OVERLAYS, build
from tests.support.liveness import eventually
from tests.support.manifests import Object, objects_in
from tests.support.operator import NAMESPACE

pytestmark = pytest.mark.long

DEPLOY = REPOSITORY / "deploy"
# Kinds of other projects, whose CRDs are not here: their own tests read them.
NOT_SERVED: tuple[str, ...] = (
    "monitoring.coreos.com/",
    "argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "source.toolkit.fluxcd.io/",
)
NOT_SERVED += ("helm.toolkit.fluxcd.io/", "notification.toolkit.fluxcd.io/")
NAMESPACES: list[Object] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, "ml")
]
SETS = [
    "crds",
    "admission",
    "admission/four-eyes",
    "samples",
    *(f"overlay {path.name}" for path in sorted(OVERLAYS.iterdir())),
    *(f"chart {path.name}" for path in VALUE_FILES),
    "release values.yaml",
]


def objects_of(what: str, binaries: Binaries, helm: Helm) -> list[Object]:
    """Every object of a set that this API server can store, its namespace said."""
    word, _, name = what.partition(" ")
    if word == "overlay":
        found = build(binaries, name)
    elif word in {"chart", "release"}:
        # As kubectl gets it; and as helm itself installs it, which asks the cluster. Hooks are no part of a release.
        more = ("--dry-run=server", "--no-hooks") if word == "release" else ("--include-crds",)
        template = ("template", RELEASE, str(CHART), "-n", NAMESPACE, "-f", str(CHART / name), *more)
        found = objects_in(helm.run(*template).stdout)
        assert ("rollback-check.modelarts.huaweicloud.com" in str(found)) is (word == "release")
    else:
        folder = REPOSITORY / "crds" if word == "crds" else DEPLOY / word
        texts = [path.read_text() for path in sorted(folder.glob("*.yaml")) if path.name != "kustomization.yaml"]
        found = [item for text in texts for item in objects_in(text)]
    return [item for item in found if not item.get("apiVersion", "").startswith(NOT_SERVED)]


def differences(shipped: object, stored: object, path: str = "") -> Iterator[str]:
    """Where a field that is shipped is missing in what is stored, or says something else there."""
    if isinstance(shipped, dict) and isinstance(stored, dict):
        for key, value in shipped.items():
            if key in stored:
                yield from differences(value, stored[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: {value!r} is shipped, and dropped"
    elif isinstance(shipped, list) and isinstance(stored, list) and len(shipped) == len(stored):
        for index, pair in enumerate(zip(shipped, stored, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif shipped != stored:
        yield f"{path}: {shipped!r} is shipped, {stored!r} is stored"


def as_read(item: Object) -> Object:
    """A Secret's stringData is written only; every tool compares it as data."""
    written = item.get("stringData") or {}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in written.items()}
    rest = {key: value for key, value in item.items() if key != "stringData"}
    return rest | ({"data": (item.get("data") or {}) | data} if data else {})


def title(item: Object) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def in_groups(objects: Sequence[Object]) -> list[list[Object]]:
    """Namespaces and CRDs first: what follows needs them."""
    first = [item for item in objects if item["kind"] in {"Namespace", "CustomResourceDefinition"}]
    return [group for group in (first, [item for item in objects if item not in first]) if group]


@pytest.fixture(params=SETS)
def shipped(
    request: pytest.FixtureRequest, plane: ControlPlane, control_plane_binaries: Binaries, helm: Helm
) -> Iterator[list[Object]]:
    """The objects of one set; afterwards they are gone. CRDs and namespaces that it does not ship stay for the next."""
    objects = objects_of(request.param, control_plane_binaries, helm)
    assert objects
    ships_crds = any(map(is_crd, objects))
    with Api(plane) as api:
        for namespace in NAMESPACES:
            if api.get(f"{NAMESPACES_PATH}/{namespace['metadata']['name']}") is None:
                api.create(NAMESPACES_PATH, namespace)
        if ships_crds:
            let_crds_go(api)
        else:
            plane.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))
            until_served(plane)
        yield objects
        refuse_nothing(api)
        remove(plane, [item for item in objects if not is_crd(item)])
        if ships_crds:
            let_crds_go(api)


def remove(plane: ControlPlane, objects: Sequence[Object]) -> None:
    """For a moment policies are heeded that are gone already."""
    delete = ("delete", "--ignore-not-found", "--wait", "-f", "-")
    given = yaml.safe_dump_all(reversed(objects))
    assert not objects or eventually(lambda: plane.kubectl.run(*delete, stdin=given, check=False).code == 0)


def is_crd(item: Object) -> bool:
    return bool(item["kind"] == "CustomResourceDefinition")


@pytest.mark.parametrize(
    "way", [("--server-side", "--field-manager=kustomize-controller"), ()], ids=["server", "client"]
)
def test_no_tool_sees_a_difference_after_it_has_applied_what_is_shipped(
    plane: ControlPlane, shipped: list[Object], way: tuple[str, ...]
) -> None:
    objects = [item for group in in_groups(shipped) for item in group]
    for group in in_groups(shipped):
        plane.kubectl.run("apply", *way, "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(group))
        if any(map(is_crd, group)):
            until_served(plane)
    got = json.loads(plane.kubectl.run("get", "-f", "-", "-o", "json", stdin=yaml.safe_dump_all(objects)).stdout)
    pairs = list(zip(objects, got["items"] if got["kind"] == "List" else [got], strict=True))
    assert [title(stored) for _, stored in pairs] == [title(item) for item in objects]
    assert [f"{title(item)}{words}" for item, stored in pairs for words in differences(as_read(item), stored)] == []
    diff = plane.kubectl.run("diff", *way, "-f", "-", stdin=yaml.safe_dump_all(objects), check=False)
    assert (diff.code, diff.stdout, diff.stderr) == (0, "", "")
