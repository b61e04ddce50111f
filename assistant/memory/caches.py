"""What recall keeps of one store in RAM: columns, vectors and the graph. Any of it can be rebuilt."""

from dataclasses import dataclass, field

from assistant.memory.columns import Columns
from assistant.memory.entity_graph import EntityGraph
from assistant.memory.schema import Store
from assistant.memory.vectors import Meaning


@dataclass(slots=True)
class Caches:
    """What recall keeps in RAM of one store."""

    vectors: Meaning
    columns: Columns = field(default_factory=Columns)
    graph: EntityGraph = field(default_factory=EntityGraph)

    def refresh(self, store: Store) -> None:
        """Catch up with what this or another process wrote."""
        self.columns.refresh(store)
        self.vectors.refresh(store)
