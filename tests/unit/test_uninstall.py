from modelarts_nodepool.commands.uninstall_check import SHOWN, Held, explain, with_cure


def test_each_object_is_named_as_kubectl_is_asked_for_it() -> None:
    said = explain(
        [Held("manp", "ml", "training-a", is_being_deleted=True), Held("maacct", "", "default", is_being_deleted=False)]
    )
    assert "2 objects carry its finalizer" in said
    assert "\n  -n ml manp training-a (being deleted)\n" in said
    assert "\n  maacct default\n" in said


def test_one_object_is_told_as_one() -> None:
    assert "1 object carries its finalizer" in explain([Held("manp", "ml", "a", is_being_deleted=False)])


def test_a_thousand_objects_are_told_in_a_page() -> None:
    said = explain([Held("manp", "ml", f"pool-{number}", is_being_deleted=False) for number in range(1000)])
    assert len(said.splitlines()) < SHOWN + 15
    assert f"… and {1000 - SHOWN} more" in said


def test_the_ways_out_are_told_in_the_order_in_which_they_work() -> None:
    said = explain([Held("manp", "ml", "a", is_being_deleted=False)])
    assert said.index("kubectl delete -n NAMESPACE manp NAME") < said.index('"deletionPolicy":"Retain"')
    assert said.index('"deletionPolicy":"Retain"') < said.index("kubectl delete maacct NAME")
    assert "helm uninstall --no-hooks" in said


def test_a_refused_release_is_shown_the_command_that_brings_it_back() -> None:
    said = with_cure("The operator is still needed.", "helm rollback operator 7 -n platform")
    assert said.startswith("The operator is still needed.\nNothing was removed")
    assert "\n  helm rollback operator 7 -n platform\n" in said


def test_outside_of_helm_there_is_nothing_to_bring_back() -> None:
    assert with_cure("The operator is still needed.", None) == "The operator is still needed."


def test_what_comes_from_git_is_named_with_its_place_and_git_before_the_commands() -> None:
    place = "in Git (Flux Kustomization flux-system/apps)"
    said = explain([Held("manp", "ml", "a", is_being_deleted=False, origin=place)])
    assert f"\n  -n ml manp a ({place})\n" in said
    advice = "Change objects that come from Git or Helm at their origin"
    assert said.index(advice) < said.index("kubectl delete -n NAMESPACE manp NAME")
    assert "Git" not in explain([Held("manp", "ml", "a", is_being_deleted=False)])
