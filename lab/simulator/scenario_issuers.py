"""The part of a scenario about who issues temporary keys."""

from typing import Literal

from pydantic import Field

from lab.simulator.model import ScenarioModel


class Issuers(ScenarioModel):
    """The metadata service, the pod identity agent and the security token service."""

    valid_seconds: float = Field(3600, gt=0, description="How long a temporary key lasts; STS gives what is asked for.")
    metadata: Literal["tokens", "tokenless", "noAgency"] = Field(
        "tokens", description="The metadata service wants a session token, knows none, or has no agency to give."
    )
    fraction: bool = Field(default=True, description="Whether times of expiry are written with fractions of a second.")
    id_token: str | None = Field(
        None, min_length=1, description="The only token that agent and STS believe. Left out: any."
    )
    fails_with: int | None = Field(
        None, ge=400, le=599, description="All of them answer this status, until it is null again."
    )
