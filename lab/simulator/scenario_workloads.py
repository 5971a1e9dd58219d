"""What a scenario says about jobs. `workloads.py` lets them run, `scenario_pools.py` places them in resource pools."""

from typing import Literal

from pydantic import Field

from lab.simulator.model import NAME_PATTERN, ScenarioModel

WORKLOAD_TYPES = ("train", "infer", "notebook", "x-infer")
WORKLOAD_STATUSES = (
    "Queue",
    "Pending",
    "Abnormal",
    "Terminating",
    "Creating",
    "Running",
    "Completed",
    "Terminated",
    "Failed",
)


class RunsOn(ScenarioModel):
    """Nodes of one node pool on which a job runs."""

    node_pool: str = Field(pattern=NAME_PATTERN, description="A node pool of the same resource pool.")
    first: int = Field(0, ge=0, description="The number of the first of its nodes, from 0 on.")
    nodes: int | None = Field(None, ge=0, description="How many of its nodes. Left out: all from the first one on.")
    accelerators: int | None = Field(
        None, ge=0, description="How many accelerators of each node it has. Left out: all that the node has."
    )


class Workload(ScenarioModel):
    """A job of a resource pool."""

    name: str = Field(pattern=NAME_PATTERN, description="Its name, each once in a resource pool.")
    job_name: str | None = Field(None, description="The name that its owner gave it. Left out: the same as name.")
    uid: str | None = Field(None, description='Its ID. Left out: one that follows from the names; "" sends none.')
    type: str = Field("train", description="train, infer, notebook, x-infer; any other text is sent as it is.")
    status: str | None = Field(
        None,
        description=(
            "One of Queue, Pending, Abnormal, Terminating, Creating, Running, Completed, Terminated, Failed; any other "
            "text is sent as it is. Said here, it stays so until changed. Left out: Pending for pendingSeconds, then "
            "Running for runSeconds, then Completed; Failed when its last node pool is gone."
        ),
    )
    pending_seconds: float = Field(0, ge=0, description="How long it waits before it runs.")
    run_seconds: float | None = Field(None, ge=0, description="How long it runs. Left out: for ever.")
    age_seconds: float = Field(
        0, ge=0, description="How old it is when it is added: it then waits and runs for so long already."
    )
    runs_on: list[RunsOn] = Field(default=[], description="The nodes on which it runs once it runs.")
    host_ips: str | None = Field(
        None, description="hostIps as it is sent, in place of the addresses of runsOn; nodes is then not sent."
    )
    exclusive: bool = Field(
        default=False, description="Its nodes carry the label of a cabinet that one job has for itself."
    )
    shape: Literal["both", "hostIps", "nodes"] = Field(
        "both", description="Where the addresses of its nodes are sent: in hostIps, in nodes, or in both."
    )
