"""A scenario: the world that the simulator starts with. Its descriptions are the text of `--help-scenario`.

`reading.py` makes one from a YAML file, tests make one from a dict.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from lab.simulator.model import ScenarioModel
from lab.simulator.routes import OperationName
from lab.simulator.scenario_faults import Fault
from lab.simulator.scenario_issuers import Issuers
from lab.simulator.scenario_pools import NodePool, ResourcePool, refuse_duplicates

PROJECT_ID = "0123456789abcdef0123456789abcdef"
# A real flavor: a node pool that was given no name is called after it.
NPU_FLAVOR = "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004"


class Credential(ScenarioModel):
    """A key pair that may sign requests."""

    access_key: str = Field(min_length=1, description="The access key (AK).")
    secret_key: str = Field(min_length=1, description="The secret key (SK).")
    security_token: str | None = Field(
        None, min_length=1, description="A temporary key's token: X-Security-Token must be signed and equal to it."
    )
    project_id: str | None = Field(
        None, min_length=1, description="The only project it is good for. Left out: the scenario's projectId."
    )
    allow: list[OperationName] | None = Field(
        None, description="The operations it may call; others answer 403 ModelArts.0112. Left out: all."
    )


class Token(ScenarioModel):
    """An IAM token that may stand in X-Auth-Token in place of a signature."""

    token: str = Field(min_length=1, description="The token.")
    project_id: str | None = Field(
        None, min_length=1, description="The project it was issued for. Left out: the scenario's projectId."
    )
    allow: list[OperationName] | None = Field(None, description="As for credentials.")
    expired: bool = Field(default=False, description="Its time is over: 401 with the words to get a new one.")


class Timings(ScenarioModel):
    """How long things take. All can be changed at run time, also for what is under way."""

    create_seconds: float = Field(5, ge=0, description="From creating to available, for node pools added at run time.")
    delete_seconds: float = Field(5, ge=0, description="From deleting to gone.")
    accept_delay_seconds: float = Field(
        0, ge=0, description="After an accepted DELETE, nothing is seen to change for so long."
    )
    lock_seconds: float = Field(300, ge=0, description="How long too many bad signatures lock a key.")
    latency_seconds: float = Field(0, ge=0, description="Every signed request takes at least so long.")
    clock_skew_seconds: float = Field(
        0, description="How far the cloud's clock is off: in the Date header and where signatures are checked."
    )


class Shape(ScenarioModel):
    """Where the API's own pages contradict each other or say nothing: which side to take."""

    resources: Literal["object", "list"] = Field(
        "object", description="spec.resources and status.resources.<state> of a node pool: an object or a list of one."
    )
    counts: Literal["all", "maxCount", "azs"] = Field(
        "all",
        description=(
            "How numbers of nodes are said in spec.resources and status.resources.<state> of a node pool: by count, "
            "maxCount and azs, or by maxCount alone, or by azs alone."
        ),
    )
    not_found: Literal["404", "400", "400-invalid-name"] = Field(
        "404",
        description=(
            "What an unknown node pool answers: 404 notFoundCode, 400 ModelArts.50004000 with words that mean not "
            "found, or the same with the words of the live API, invalid nodepool name."
        ),
    )
    not_found_code: str = Field("ModelArts.50015001", description="error_code of the 404 for an unknown node pool.")
    repeat_delete: Literal["200", "409"] = Field(
        "200", description="A DELETE of what is being deleted: 200 without effect, or 409 ModelArts.5044."
    )
    patch_content_type: Literal["merge-patch", "any"] = Field(
        "merge-patch",
        description=(
            "A PATCH whose Content-Type is not application/merge-patch+json: refused with ModelArts.50004100, or taken."
        ),
    )
    encoded_authorization_message: bool = Field(
        default=False, description="A denied operation also carries encoded_authorization_message, as IAM 5 does."
    )
    list_workloads: Literal["offered", "absent"] = Field(
        "offered",
        description="Whether the region has the operation list_workloads: absent is the gateway's 404 APIG.0101.",
    )
    last_node_pool_removes_resource_pool: bool = Field(
        default=True, description="A resource pool goes when its last node pool was deleted."
    )


class Scenario(ScenarioModel):
    """The world that the simulator starts with."""

    region: str = Field("cn-north-4", min_length=1, description="The region's name.")
    project_id: str = Field(PROJECT_ID, min_length=1, description="The project that everything belongs to.")
    access_key: str = Field("AKSIMULATOR", min_length=1, description="The access key, where credentials is left out.")
    secret_key: str = Field("SKSIMULATOR", min_length=1, description="The secret key, where credentials is left out.")
    credentials: list[Credential] = Field(
        default=[], description="Several keys, in place of accessKey and secretKey. The first is in the hello line."
    )
    tokens: list[Token] = Field(default=[], description="IAM tokens that are let in without a signature.")
    timings: Timings = Field(default=Timings(), description="How long things take.")
    shape: Shape = Field(default=Shape(), description="Which side to take where the API's pages disagree.")
    issuers: Issuers = Field(default=Issuers(), description="Who issues temporary keys, and how.")
    resource_pools: list[ResourcePool] = Field(default=[], description="The resource pools, each name once.")
    faults: list[Fault] = Field(
        default=[], description="What goes wrong: the first that matches and has times left is applied."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        refuse_duplicates("resourcePools", [resource_pool.name for resource_pool in self.resource_pools])
        for resource_pool in self.resource_pools:
            resource_pool.refuse_strange_nodes()
        refuse_duplicates("tokens", [token.token for token in self.tokens])
        refuse_duplicates("credentials", [credential.access_key for credential in self.credentials])
        return self

    @property
    def keys(self) -> list[Credential]:
        """The credentials, whichever way they were written. Never empty."""
        if self.credentials:
            return self.credentials
        return [Credential(access_key=self.access_key, secret_key=self.secret_key)]


def default_scenario() -> Scenario:
    """The small world that is served where no file is given: something of every billing and health."""
    return Scenario(
        resource_pools=[
            ResourcePool(
                name="pool-a",
                billing_mode="0",
                node_pools=[
                    NodePool(name="training-a", count=3),
                    NodePool(name="training-b", count=2),
                    NodePool(name=f"{NPU_FLAVOR}-default", count=1, flavor=NPU_FLAVOR),
                ],
            ),
            ResourcePool(name="pool-yearly", billing_mode="1", node_pools=[NodePool(name="reserved-a", count=2)]),
        ]
    )
