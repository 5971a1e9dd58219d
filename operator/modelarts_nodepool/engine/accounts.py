"""The status of accounts: one write when what the cloud says about the credentials changes.

Told of every look by the controller; its queue's work is one account by name.
"""

import logging
from datetime import timedelta

from modelarts_nodepool.decide.account import decide_account_status
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.engine.queue import KeyedQueue
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import patches, paths
from modelarts_nodepool.resource.objects import Account

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(seconds=2)


class Accounts:
    """Writes the status of accounts."""

    def __init__(self, tools: Tools) -> None:
        """Run `queue.run()`; add names to it."""
        self._tools = tools
        self._last: dict[str, Failure | None] = {}
        self.queue = KeyedQueue(self._work, workers=1)

    def note(self, name: str, failure: Failure | None) -> None:
        """A look with this account's credentials worked, or failed like this."""
        if name in self._last and _same(self._last[name], failure):
            return
        self._last[name] = failure
        self.queue.add(name)

    async def _work(self, name: str) -> None:
        account = self._tools.registry.accounts.get(name)
        if account is None:
            self._last.pop(name, None)
            return
        try:
            await self._write(account)
        except (ObjectChanged, ObjectGone):
            await self._refresh(account)
        except ClusterError as error:
            logger.warning("the status of account %s was not written; tried again: %s", name, error)
            self.queue.add_after(name, RETRY_AFTER)
        except Exception:
            logger.exception("the status of account %s could not be decided; tried again", name)
            self.queue.add_after(name, RETRY_AFTER * 15)

    async def _write(self, account: Account) -> None:
        name = account.metadata.name
        if name not in self._last and account.status.observed_generation == account.metadata.generation:
            # Fresh from a restart: what was last said of the credentials stands until they are used again.
            return
        status = decide_account_status(
            account, was_used=name in self._last, failure=self._last.get(name), now=self._tools.clock.now()
        )
        if status == account.status:
            return
        patch = patches.build_status(account, status)
        body = await self._tools.cluster.json_patch(paths.status_path_of(account), patch)
        self._tools.registry.take_account(body)

    async def _refresh(self, account: Account) -> None:
        name = account.metadata.name
        try:
            body = await self._tools.cluster.get(paths.path_of(account))
        except ObjectGone:
            self._tools.registry.drop_account(name, account.metadata.uid)
            return
        except ClusterError:
            logger.warning("account %s could not be read again; tried again", name)
        else:
            self._tools.registry.take_account(body)
        self.queue.add_after(name, RETRY_AFTER / 20)


def _same(one: Failure | None, other: Failure | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.reason == other.reason
