"""The chapters of the story, in order. Each shows what it does and raises LabError when it is not so."""

from collections.abc import Awaitable, Callable

from lab.demo.stage import Stage
from lab.demo.story.abnormal import see_a_node_break
from lab.demo.story.closing import count_everything
from lab.demo.story.counts import see_the_counts
from lab.demo.story.deletion import delete_a_node_pool
from lab.demo.story.install import install_the_operator
from lab.demo.story.job import see_the_job_end
from lab.demo.story.refusal import hold_two_deletions
from lab.demo.story.retained import keep_a_node_pool

CHAPTERS: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    install_the_operator,
    see_the_counts,
    see_a_node_break,
    delete_a_node_pool,
    hold_two_deletions,
    see_the_job_end,
    keep_a_node_pool,
    count_everything,
)
