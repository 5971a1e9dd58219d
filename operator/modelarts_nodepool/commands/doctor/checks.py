"""All checks in order: of the cluster, then of each account. To add a check, write a function and a line here."""

from modelarts_nodepool.api.crd import build_account_crd, build_node_pool_crd
from modelarts_nodepool.api.names import ACCOUNT_PLURAL, NODE_POOL_PLURAL
from modelarts_nodepool.commands.doctor.accounts import (
    check_account,
    check_account_status,
    check_accounts,
    check_credentials,
)
from modelarts_nodepool.commands.doctor.check import AccountContext, Check, ClusterContext
from modelarts_nodepool.commands.doctor.cloud import (
    check_jobs,
    check_log_in,
    check_node_pools,
    check_project,
    check_resource_pools,
)
from modelarts_nodepool.commands.doctor.cluster import (
    check_api_server,
    check_lease,
    check_namespaces,
    check_permissions,
)
from modelarts_nodepool.commands.doctor.definitions import check_definition
from modelarts_nodepool.commands.doctor.endpoint import check_clock, check_endpoint
from modelarts_nodepool.commands.doctor.writes import check_writes

API_SERVER = "API server"

OF_CLUSTER: tuple[Check[ClusterContext], ...] = (
    Check(API_SERVER, check_api_server),
    Check(f"CRD {NODE_POOL_PLURAL}", check_definition(build_node_pool_crd()), needs=(API_SERVER,)),
    Check(f"CRD {ACCOUNT_PLURAL}", check_definition(build_account_crd()), needs=(API_SERVER,)),
    Check("permissions", check_permissions, needs=(API_SERVER,)),
    Check("Lease", check_lease, needs=(API_SERVER,)),
    Check("namespaces", check_namespaces, needs=(API_SERVER,)),
    # Without a running operator nothing is written, and the check Lease says so.
    Check("object writes", check_writes, needs=(API_SERVER, "Lease")),
    Check("accounts", check_accounts, needs=(API_SERVER,)),
)

OF_ACCOUNT: tuple[Check[AccountContext], ...] = (
    Check("account", check_account),
    Check("credentials", check_credentials),
    Check("endpoint", check_endpoint),
    Check("clock", check_clock, needs=("endpoint",)),
    # With a wrong clock the signature would fail, and count as a bad signature of the key.
    Check("log-in", check_log_in, needs=("credentials", "endpoint", "clock")),
    Check("project", check_project, needs=("log-in",)),
    Check("resource pools", check_resource_pools, needs=("project",)),
    Check("node pools", check_node_pools, needs=("project",)),
    Check("jobs", check_jobs, needs=("project",)),
    Check("account status", check_account_status),
)
