"""Tables line up."""

from modelarts_nodepool.commands.terminal import to_table


def test_columns_are_as_wide_as_their_widest_cell_and_empty_cells_are_seen() -> None:
    assert to_table(("NAME", "STATE"), [("a", "ready"), ("long-name", "")]) == [
        "NAME        STATE",
        "a           ready",
        "long-name   -",
    ]
