"""A listener of the cache that notes what it gets to know."""

from collections.abc import Callable

from modelarts_nodepool.api.objects import NodePool


class Noting:
    """`node_pools` and `accounts` are the uids and names that changed, in order; `gone` what is gone."""

    def __init__(self, on_gone: Callable[[NodePool], None] = lambda _node_pool: None) -> None:
        self.node_pools: list[str] = []
        self.written: list[str] = []
        self.accounts: list[str] = []
        self.namespaces: list[str] = []
        self.gone: list[NodePool] = []
        self._on_gone = on_gone

    def node_pool_changed(self, uid: str) -> None:
        self.node_pools.append(uid)

    def node_pool_written(self, uid: str) -> None:
        self.written.append(uid)

    def node_pool_gone(self, node_pool: NodePool) -> None:
        self.gone.append(node_pool)
        self._on_gone(node_pool)

    def account_changed(self, name: str) -> None:
        self.accounts.append(name)

    def namespace_changed(self, name: str) -> None:
        self.namespaces.append(name)
