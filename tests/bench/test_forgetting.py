"""The simulated year: the same for every policy, and hard on a bad one."""

from assistant.bench.forgetting import Year, run


def test_a_seed_gives_the_same_year_again() -> None:
    first, second = Year.make(3, 200), Year.make(3, 200)
    assert first.texts == second.texts
    assert first.created == second.created
    assert first.question(7) == second.question(7)
    assert Year.make(4, 200).texts != first.texts


def test_no_policy_loses_nothing_and_a_crude_one_does() -> None:
    kept = run("none", [0], n_messages=400, n_needs=40)
    assert kept["recall_loss"] == 0
    assert kept["active_smaller_by"] == 0
    crude = run("age", [0], n_messages=400, n_needs=40)
    assert crude["recall_loss"] > 0.1
    assert crude["active_smaller_by"] > 0.5
