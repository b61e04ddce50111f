"""What replaced a memory is looked up from the memory, however many others there are."""

from datetime import UTC, datetime
from pathlib import Path

from assistant.memory import successors
from assistant.memory.schema import Store

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def test_the_successors_of_a_few_are_found_without_a_scan(tmp_path: Path) -> None:
    sql = successors._ENDS.format(chosen="?2,?3")
    with Store.open(tmp_path / "m.db", now=NOW) as store:
        plan = [row["detail"] for row in store.read(f"EXPLAIN QUERY PLAN {sql}", [None, 1, 2])]
    assert any("SEARCH m USING INTEGER PRIMARY KEY" in step for step in plan)
    assert not [step for step in plan if step.split()[:2] in (["SCAN", "m"], ["SCAN", "t"])]
    assert not [step for step in plan if "memories_state" in step]
