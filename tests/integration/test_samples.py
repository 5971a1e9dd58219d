"""The samples and the examples of docs/spec pass a real API server, strictly."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.crds import REPOSITORY, Cluster

SAMPLES = sorted((REPOSITORY / "deploy" / "samples").glob("*.yaml"))
PAGES = sorted((REPOSITORY / "docs" / "spec").glob("modelarts*.md"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_passes_the_api_server(dry_cluster: Cluster, path: Path) -> None:
    would_create_all(dry_cluster, path.read_text())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_examples_of_a_page_pass_the_api_server(dry_cluster: Cluster, path: Path) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        would_create_all(dry_cluster, example)


def would_create_all(dry_cluster: Cluster, text: str) -> None:
    for document in yaml.safe_load_all(text):
        # Other tests may use the same names in the same cluster.
        document["metadata"]["name"] = f"sample-{document['metadata']['name']}"
        if "namespace" in document["metadata"]:
            # A dry run creates no namespace, and one that is not there is the first thing refused.
            document["metadata"]["namespace"] = dry_cluster.namespace
        body = json.dumps(document)
        dry_cluster.run("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=body)
