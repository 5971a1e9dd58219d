"""The CRDs: whether they are installed, served, and those of this version."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

from modelarts_nodepool.api.names import VERSION as API_VERSION
from modelarts_nodepool.commands.doctor.check import Finding, failed, ok, warning
from modelarts_nodepool.commands.doctor.context import ClusterScene
from modelarts_nodepool.commands.doctor.schemas import compare_definitions
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.crds import is_established
from modelarts_nodepool.settings import DISTRIBUTION

VERSION = version(DISTRIBUTION)
_SHOWN = 3


def check_definition(wanted: Mapping[str, Any]) -> Callable[[ClusterScene], Awaitable[Finding]]:
    """The check of one CRD against the one that this version generates."""

    async def check(scene: ClusterScene) -> Finding:
        name = wanted["metadata"]["name"]
        try:
            installed = await scene.session.cluster.get(f"{paths.DEFINITIONS}/{name}")
        except ObjectGone:
            return failed("not installed", remedies.apply_definitions())
        return judge(installed, wanted, offers_selectable_fields=scene.offers_selectable_fields)

    return check


def judge(installed: Mapping[str, Any], wanted: Mapping[str, Any], *, offers_selectable_fields: bool = True) -> Finding:
    """What is to be said of an installed CRD. Pure.

    `offers_selectable_fields`: where the API server drops them, applying the CRD again would not bring them.
    """
    name = wanted["metadata"]["name"]
    if installed["metadata"].get("deletionTimestamp"):
        return failed(
            "being deleted, and with it every object of its kind; no deletion in the cloud is sent unless confirmed",
            f"{remedies.show_definition(name)}, then see docs/operations/troubleshooting.md, "
            "CustomResourceDefinitionTerminating",
        )
    if not is_established(installed):
        return failed("installed and not established", remedies.describe_definition(name))
    found = compare_definitions(installed, wanted if offers_selectable_fields else _without_selectable_fields(wanted))
    if found.differences:
        shown = "; ".join(found.differences[:_SHOWN])
        more = len(found.differences) - _SHOWN
        return failed(
            f"not the one of version {VERSION}: {shown}{f'; and {more} more' if more > 0 else ''}",
            f"{remedies.apply_definitions()}   (the crds/ of version {VERSION})",
        )
    if found.has_other_words:
        return warning(f"as in version {VERSION} but for its descriptions", remedies.apply_definitions())
    dropped = not offers_selectable_fields and any("selectableFields" in each for each in wanted["spec"]["versions"])
    missing = ", but for selectableFields, which the API server does not offer" if dropped else ""
    return ok(f"{API_VERSION} served and stored, the same as in version {VERSION}{missing}")


def _without_selectable_fields(wanted: Mapping[str, Any]) -> dict[str, Any]:
    versions = [
        {key: value for key, value in version.items() if key != "selectableFields"}
        for version in wanted["spec"]["versions"]
    ]
    return {**wanted, "spec": {**wanted["spec"], "versions": versions}}
