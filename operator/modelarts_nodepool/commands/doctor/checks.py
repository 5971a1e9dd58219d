"""All checks in order: first of the cluster, then of each account. To add one, write a function and a line here."""

from modelarts_nodepool.api.crd import build_account_crd, build_node_pool_crd
from modelarts_nodepool.api.names import ACCOUNT_PLURAL, NODE_POOL_PLURAL
from modelarts_nodepool.commands.doctor.accounts import check_account, check_accounts, check_operators_word
from modelarts_nodepool.commands.doctor.api_server import check_api_server
from modelarts_nodepool.commands.doctor.check import Check
from modelarts_nodepool.commands.doctor.cloud import check_log_in, check_node_pools, check_project, check_resource_pools
from modelarts_nodepool.commands.doctor.context import AccountScene, ClusterScene
from modelarts_nodepool.commands.doctor.credentials import check_credentials
from modelarts_nodepool.commands.doctor.definitions import check_definition
from modelarts_nodepool.commands.doctor.endpoint import check_clock, check_endpoint
from modelarts_nodepool.commands.doctor.lease import check_lease
from modelarts_nodepool.commands.doctor.namespaces import check_namespaces
from modelarts_nodepool.commands.doctor.permissions import check_permissions
from modelarts_nodepool.commands.doctor.writes import check_writes

API_SERVER = "API server"

OF_CLUSTER: tuple[Check[ClusterScene], ...] = (
    Check(API_SERVER, check_api_server),
    Check(f"CRD {NODE_POOL_PLURAL}", check_definition(build_node_pool_crd()), needs=(API_SERVER,)),
    Check(f"CRD {ACCOUNT_PLURAL}", check_definition(build_account_crd()), needs=(API_SERVER,)),
    Check("permissions", check_permissions, needs=(API_SERVER,)),
    Check("Lease", check_lease, needs=(API_SERVER,)),
    Check("namespaces", check_namespaces, needs=(API_SERVER,)),
    # Without an operator nothing is written, and the line above says so.
    Check("object writes", check_writes, needs=(API_SERVER, "Lease")),
    Check("accounts", check_accounts, needs=(API_SERVER,)),
)

OF_ACCOUNT: tuple[Check[AccountScene], ...] = (
    Check("account", check_account),
    Check("credentials", check_credentials),
    Check("endpoint", check_endpoint),
    Check("clock", check_clock, needs=("endpoint",)),
    # With a clock that is far off the signature would fail, and count as a bad one.
    Check("log-in", check_log_in, needs=("credentials", "endpoint", "clock")),
    Check("project", check_project, needs=("log-in",)),
    Check("resource pools", check_resource_pools, needs=("project",)),
    Check("node pools", check_node_pools, needs=("project",)),
    Check("operator's word", check_operators_word),
)
