"""What all models share: thousands of them are kept, so they hold nothing twice."""

from modelarts_nodepool.api.node_pool import Counts


def test_models_that_were_given_the_same_fields_share_the_set_of_them() -> None:
    one, other = Counts.model_validate({"available": 1}), Counts.model_validate({"available": 2})
    assert one.model_fields_set is other.model_fields_set
    assert Counts().model_fields_set is not one.model_fields_set
    assert (one.model_fields_set, Counts().model_fields_set) == ({"available"}, set())


def test_a_changed_copy_leaves_the_shared_set_alone() -> None:
    one = Counts.model_validate({"available": 1})
    copied = one.model_copy(update={"deleting": 2})
    assert copied.model_fields_set == {"available", "deleting"}
    assert one.model_fields_set == {"available"}
    assert Counts.model_validate({"available": 3}).model_fields_set == {"available"}
