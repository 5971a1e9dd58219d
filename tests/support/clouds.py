"""engine/clouds.py with a cloud of the test's own behind it."""

from modelarts_nodepool.credentials.sources import Sources
from modelarts_nodepool.engine.clouds import Clouds
from modelarts_nodepool.ports import AccessKey, Clock, Cluster, Connections, ModelArts
from modelarts_nodepool.resource.objects import Account
from modelarts_nodepool.settings import CloudLimits


class Connected:
    """Connections that lead to one cloud, whoever signs."""

    def __init__(self, cloud: ModelArts) -> None:
        self._cloud = cloud

    def signing_with(self, _: AccessKey) -> ModelArts:
        return self._cloud

    async def aclose(self) -> None:
        pass


def a_clouds(
    cluster: Cluster,
    clock: Clock,
    cloud: ModelArts | None = None,
    limits: CloudLimits = CloudLimits(),  # noqa: B008 - frozen
) -> Clouds:
    """Clouds whose Secrets are in `cluster`. Without a cloud, nobody may want to call one."""

    def connect(_: Account) -> Connections:
        assert cloud is not None, "a call to the cloud that nobody expects"
        return Connected(cloud)

    return Clouds(cluster, clock, "operator", connect, Sources(clock), limits)
