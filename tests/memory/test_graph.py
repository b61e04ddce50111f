"""Phrases and personalised PageRank."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.graph import build_graph, pagerank, phrases_of

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


def test_phrases_are_names_titles_and_pairs_of_words() -> None:
    found = phrases_of("We saw the Museum of Modern Art with Anna. Then a quiet dinner.")
    assert {"museum of modern art", "anna", "quiet dinner"} <= set(found)
    assert "then" not in found
