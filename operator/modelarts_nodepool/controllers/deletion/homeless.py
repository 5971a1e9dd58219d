"""Objects whose namespace is gone. The API server still shows them, and refuses every write to them with a 404.

Somebody emptied the finalizers of the namespace, or Kubernetes ended it while the API server was not itself.
"""

import logging

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers.tools import Tools, log_fields
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths

logger = logging.getLogger(__name__)


async def warn_of_homeless(tools: Tools, node_pool: NodePool) -> None:
    """Log it, once a minute for each namespace, where that is why a write found nothing.

    To be called once the object was read again.
    """
    if node_pool.metadata.uid not in tools.registry.node_pools:
        return
    name = node_pool.metadata.namespace
    try:
        await tools.cluster.get(paths.namespace(name))
    except ObjectGone:
        if not tools.writes.may_say(f"namespace {name}"):
            return
        logger.warning(
            "namespace %s is gone and the object is still there: the API server takes no write to it, so it is "
            "neither mirrored, nor is its node pool deleted, nor is it released; create the namespace again: "
            "%s",
            name,
            remedies.create_namespace(name),
            extra=log_fields(node_pool),
        )
    except ClusterError:
        pass
