"""What a scenario says about resource pools and node pools. `scenario.py` joins these models."""

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from lab.simulator.model import NAME_PATTERN, ScenarioModel
from lab.simulator.scenario_workloads import Workload


class States(ScenarioModel):
    """How many nodes are in which state. What is left out is zero."""

    creating: int = Field(0, ge=0, description="Nodes that are being created.")
    available: int = Field(0, ge=0, description="Nodes that work.")
    abnormal: int = Field(0, ge=0, description="Nodes that are broken.")
    deleting: int = Field(0, ge=0, description="Nodes that are being deleted.")

    @property
    def total(self) -> int:
        """All nodes."""
        return self.creating + self.available + self.abnormal + self.deleting


class AvailabilityZone(ScenarioModel):
    """Nodes of a node pool in one availability zone."""

    az: str = Field(min_length=1, description="The availability zone, such as cn-north-4a.")
    count: int = Field(ge=0, description="How many of the node pool's nodes are meant to be there.")


class Taint(ScenarioModel):
    """A Kubernetes taint that the nodes carry."""

    key: str = Field(description="The taint's key.")
    value: str = Field("", description="The taint's value.")
    effect: str = Field("NoSchedule", description="The taint's effect.")


class NodePool(ScenarioModel):
    """A node pool."""

    name: str = Field(pattern=NAME_PATTERN, description="The node pool's name within its resource pool.")
    flavor: str = Field("modelarts.vm.gpu.t4u8", min_length=1, description="The flavor of its nodes.")
    count: int | None = Field(
        None, ge=0, description="How many nodes were asked for. Left out: as many as states name, else 1."
    )
    max_count: int | None = Field(None, ge=0, description="The elastic upper bound. Left out: the same as count.")
    azs: list[AvailabilityZone] = Field(
        default=[], description="Where the nodes are. Left out: all in the region's first zone."
    )
    states: States | None = Field(
        None,
        description=(
            "The nodes by state. Said here, they stay so until changed or deleted. Left out: all available, or, "
            "for a node pool added at run time, creating for createSeconds and then available."
        ),
    )
    in_use: bool = Field(default=False, description="Jobs run on it: a DELETE is refused.")
    prepaid_nodes: int = Field(
        0, ge=0, description="How many of its nodes are yearly/monthly: above 0 a DELETE is refused."
    )
    locked_nodes: int = Field(
        0, ge=0, description="How many of its nodes carry a deletion lock: above 0 a DELETE is refused."
    )
    is_default: bool | None = Field(
        None, description="The resource pool's default node pool: a DELETE is refused. Left out: true for …-default."
    )
    labels: dict[str, str] = Field(
        default={"workload": "training"}, description="Kubernetes labels that its nodes get."
    )
    taints: list[Taint] = Field(
        default=[Taint(key="workload", value="training")], description="Kubernetes taints that its nodes get."
    )
    tags: dict[str, str] = Field(default={"team": "ml"}, description="Resource tags, as key and value.")
    accelerators: int = Field(8, ge=0, description="How many accelerators each of its nodes has.")
    accelerator_key: str | None = Field(
        None,
        description=(
            'What its nodes call their accelerators in resources and availableResources; "" is none. Left out: '
            "nvidia.com/gpu or huawei.com/ascend-snt9, as the flavor says gpu or npu, else none."
        ),
    )
    npu_topology: bool = Field(
        default=False, description="Its nodes carry the annotation that shows which of 16 cards are taken."
    )
    private_ips: bool = Field(default=True, description="Its nodes say their address in status.privateIp.")
    abnormal_message: str | None = Field(
        None, description="status.message of its abnormal nodes, which no page has. Left out: not sent."
    )
    create_seconds: float | None = Field(None, ge=0, description="Its own timings.createSeconds.")
    delete_seconds: float | None = Field(None, ge=0, description="Its own timings.deleteSeconds.")

    @property
    def wanted(self) -> int:
        """How many nodes were asked for."""
        if self.count is not None:
            return self.count
        return 1 if self.states is None else self.states.total

    @property
    def default(self) -> bool:
        """Whether it is its resource pool's default node pool."""
        return self.name.endswith("-default") if self.is_default is None else self.is_default


class ResourcePool(ScenarioModel):
    """A resource pool with its node pools."""

    name: str = Field(pattern=NAME_PATTERN, description="The resource pool's metadata.name, which is its ID.")
    display_name: str | None = Field(None, description="The name that people gave it. Left out: the same as name.")
    project_id: str | None = Field(None, description="The project it belongs to. Left out: the scenario's projectId.")
    workspace: str = Field("0", description="The ModelArts workspace it belongs to.")
    type: Literal["Dedicate", "Logical"] = Field("Dedicate", description="Physical (Dedicate) or logical.")
    billing_mode: Literal["0", "1"] | None = Field(
        None,
        description=(
            '"0" is pay-per-use, "1" yearly/monthly: its node pools cannot be deleted. Left out: the cloud '
            "does not say (the annotation is missing)."
        ),
    )
    phase: Literal["Creating", "Running", "Abnormal", "Deleting", "Error"] = Field(
        "Running", description="status.phase of the resource pool."
    )
    control_mode: int = Field(
        0,
        ge=0,
        description=(
            "spec.controlMode, bits added up: 1 billing change limited, 2 flavor change limited, 4 service limited, "
            "8 frozen, 16 frozen by the police."
        ),
    )
    node_pools: list[NodePool] = Field(default=[], description="Its node pools, each name once.")
    workloads: list[Workload] = Field(default=[], description="Its jobs, each name once.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        refuse_duplicates("nodePools", [node_pool.name for node_pool in self.node_pools])
        refuse_duplicates("workloads", [workload.name for workload in self.workloads])
        return self

    def refuse_strange_nodes(self) -> None:
        """Raise ValueError where a job runs on a node pool that is not here."""
        known = {node_pool.name for node_pool in self.node_pools}
        for workload in self.workloads:
            strange = {runs_on.node_pool for runs_on in workload.runs_on} - known
            if strange:
                raise ValueError(
                    f"workload {workload.name} runs on {', '.join(sorted(strange))}, which is no node pool of resource "
                    f"pool {self.name}"
                )


def refuse_duplicates(key: str, names: list[str]) -> None:
    """Raise ValueError where a name stands twice in the list under `key`."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise ValueError(f"{key} names {', '.join(twice)} more than once; give each its own name")
