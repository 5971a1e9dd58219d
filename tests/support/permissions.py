"""What the operator's roles grant, and what it made use of by the API server's own record: `verb group resource`."""

import json

from lab.controlplane import AuditLog, ControlPlane
from tests.support.operator import NAME, NAMESPACE


def granted(plane: ControlPlane) -> set[str]:
    """Each right of the ClusterRole and the Role."""
    roles = [
        json.loads(plane.kubectl.run("get", *what, NAME, "-o", "json").stdout)
        for what in (("clusterrole",), ("-n", NAMESPACE, "role"))
    ]
    return {
        f"{verb} {group} {resource}"
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(log: AuditLog) -> set[str]:
    """Each right that a request needed. Discovery and the like name no resource and need none of ours."""
    return {
        f"{event.verb} {event.group} {event.resource}{f'/{event.subresource}' if event.subresource else ''}"
        for event in log
        if event.resource
    }
