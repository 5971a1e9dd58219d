from modelarts_nodepool.kube.leadership import Leadership


def test_what_is_left_of_one_time_of_leading_never_acts_under_the_next_lease() -> None:
    is_held = True
    first = Leadership(lambda: is_held)
    assert first.may_act()
    is_held = False
    assert not first.may_act()
    # Renewed late, and nobody led in between: it goes on.
    is_held = True
    assert first.may_act()
    first.end()
    second = Leadership(lambda: is_held)
    assert second.may_act()
    assert not first.may_act()
