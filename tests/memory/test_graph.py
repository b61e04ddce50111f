"""Phrases and personalised PageRank."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.columns import Columns
from assistant.memory.entity_graph import MIN_GROWTH, EntityGraph
from assistant.memory.graph import build_graph, pagerank, phrases_of
from assistant.memory.memory import Memory
from assistant.records import EncodedText

EDGES = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=80)


@given(EDGES, st.lists(st.integers(0, 29), min_size=1, max_size=5))
def test_pagerank_sums_to_one_and_is_never_negative(
    edges: list[tuple[int, int]], seeds: list[int]
) -> None:
    graph = build_graph(20, 30, np.array(edges, np.int64).reshape(-1, 2))
    ranks = pagerank(graph, np.array(seeds), np.ones(len(seeds)))
    assert ranks.min() >= 0
    assert abs(float(ranks.sum()) - 1) < 1e-5


@given(EDGES, st.integers(0, 29))
def test_pagerank_agrees_with_power_iteration(edges: list[tuple[int, int]], seed: int) -> None:
    graph = build_graph(20, 30, np.array(edges, np.int64).reshape(-1, 2))
    step = np.zeros((30, 30))
    for node in range(30):
        targets = graph.targets[graph.starts[node] : graph.starts[node + 1]]
        if len(targets):
            np.add.at(step, (targets, node), 1 / len(targets))
        else:
            step[node, node] = 1
    start = np.zeros(30)
    start[seed] = 1
    exact = start.copy()
    for _ in range(80):
        exact = 0.5 * start + 0.5 * step @ exact
    ranks = pagerank(graph, np.array([seed]), np.ones(1))
    np.testing.assert_allclose(ranks, exact, atol=2e-3)


def test_what_shares_a_rare_phrase_ranks_above_what_shares_none() -> None:
    ends = np.array([[0, 4], [1, 4], [2, 5], [3, 5]])
    ranks = pagerank(build_graph(4, 6, ends), np.array([4]), np.ones(1))
    assert ranks[0] == ranks[1] > ranks[2] == ranks[3] == 0


def test_an_entity_graph_is_built_again_at_its_growth_and_earlier_where_nobody_waits(
    tmp_path: Path,
) -> None:
    now = datetime(2024, 5, 1, tzinfo=UTC)
    graph, columns = EntityGraph(), Columns()
    with Memory.open(tmp_path / "m.db", now=now) as memory:
        conversation = memory.new_conversation("trees", now)

        def grow_by(n: int) -> None:
            for number in range(n):
                text = f"We saw {n} larches at gate {number}"
                memory.record_message(
                    EncodedText(text, text, None), now, conversation_id=conversation
                )
            columns.refresh(memory.store)

        grow_by(10)
        assert graph.refresh(memory.store, columns)
        grow_by(MIN_GROWTH // 2 + 1)
        assert not graph.refresh(memory.store, columns)
        assert graph.refresh(memory.store, columns, early=True)
        assert not graph.refresh(memory.store, columns, early=True)
        grow_by(MIN_GROWTH + 1)
        assert graph.refresh(memory.store, columns)


def test_phrases_are_names_titles_and_pairs_of_words() -> None:
    found = phrases_of("We saw the Museum of Modern Art with Anna. Then a quiet dinner.")
    assert {"museum of modern art", "anna", "quiet dinner"} <= set(found)
    assert "then" not in found
