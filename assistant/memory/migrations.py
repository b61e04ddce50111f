"""The tables, as numbered steps. Knows SQL and nothing else; `schema` runs the steps.

A step that has shipped is never edited: a change is a new step. Every time is ISO 8601 text in UTC
with microseconds, so text order is time order. Deleting a parent deletes its children, so no
operation can leave a dangling row.
"""

from typing import Final

FIRST_TABLES: Final = """
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
-- generation: changes with everything (erase, restore, reindex), so that a cache of another
-- generation is worthless. revision: grows by one with every new, changed or deleted memory.
INSERT INTO meta VALUES
  ('store', lower(hex(randomblob(16)))),
  ('generation', lower(hex(randomblob(8)))),
  ('revision', '0');

CREATE TABLE conversations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  title TEXT NOT NULL DEFAULT '',
  created TEXT NOT NULL,
  last_used TEXT NOT NULL,
  source TEXT UNIQUE,           -- where an import came from; NULL for what was typed here
  hidden INTEGER NOT NULL DEFAULT 0  -- deleted by the person; `undo` brings it back
);
CREATE INDEX conversations_last_used ON conversations (last_used);

CREATE TABLE turns (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
  number INTEGER NOT NULL,      -- from 1 in its conversation; branches of a turn share it
  created TEXT NOT NULL,
  finished TEXT,                -- when the reply, whole or partial, was recorded
  prompt TEXT,                  -- what the model was given, as the engine packs it
  active INTEGER NOT NULL DEFAULT 1  -- 0 for a branch that is not the chosen one
);
CREATE UNIQUE INDEX turns_number ON turns (conversation_id, number) WHERE active = 1;
CREATE INDEX turns_conversation ON turns (conversation_id, number);

CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
  turn_id INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
  speaker TEXT,
  text TEXT NOT NULL,           -- exactly as it was said
  resolved_text TEXT,           -- with dates resolved; NULL where that changed nothing
  created TEXT NOT NULL,
  partial INTEGER NOT NULL DEFAULT 0,
  model TEXT,
  source TEXT UNIQUE            -- an imported message's own id, so an import can run twice
);
CREATE INDEX messages_conversation ON messages (conversation_id, id);
CREATE INDEX messages_turn ON messages (turn_id);

-- What every recallable row shares.
CREATE TABLE memories (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('message', 'passage', 'thought', 'summary')),
  state TEXT NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'faded', 'superseded', 'forgotten')),
  text TEXT NOT NULL,           -- what is indexed, embedded and put into a prompt
  searchable INTEGER NOT NULL DEFAULT 1,  -- 0 for a message that is found by its passages
  role TEXT NOT NULL DEFAULT 'user',
  speaker TEXT,
  conversation_id INTEGER REFERENCES conversations ON DELETE CASCADE,
  turn_id INTEGER REFERENCES turns ON DELETE CASCADE,
  message_id INTEGER REFERENCES messages ON DELETE CASCADE,  -- itself, or the source
  span_start INTEGER,           -- characters of the resolved text, for a passage
  span_end INTEGER,
  created TEXT NOT NULL,
  strength_days REAL NOT NULL DEFAULT 30,
  last_used TEXT,
  use_count INTEGER NOT NULL DEFAULT 0,
  importance REAL NOT NULL DEFAULT 0,     -- in [0, 1]
  pinned INTEGER NOT NULL DEFAULT 0,
  faded_into INTEGER REFERENCES memories ON DELETE SET NULL,  -- the summary that stands for it
  cues INTEGER,                 -- what sort of answer it could hold (words.CUES); NULL: unknown yet
  revision INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX memories_revision ON memories (revision);
CREATE INDEX memories_message ON memories (message_id);
CREATE INDEX memories_turn ON memories (turn_id);
CREATE INDEX memories_conversation ON memories (conversation_id);
CREATE INDEX memories_state ON memories (state, kind);
CREATE INDEX memories_faded_into ON memories (faded_into) WHERE faded_into IS NOT NULL;

CREATE TRIGGER memories_revise_insert AFTER INSERT ON memories BEGIN
  UPDATE meta SET value = value + 1 WHERE key = 'revision';
  UPDATE memories SET revision = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'revision')
    WHERE id = NEW.id;
END;
CREATE TRIGGER memories_revise_update
AFTER UPDATE OF kind, state, text, searchable, role, speaker, created, strength_days, last_used,
  use_count, importance, pinned ON memories BEGIN
  UPDATE meta SET value = value + 1 WHERE key = 'revision';
  UPDATE memories SET revision = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'revision')
    WHERE id = NEW.id;
END;
CREATE TABLE deletions (          -- so that a cache can follow; ids are never used again
  revision INTEGER PRIMARY KEY,
  memory_id INTEGER NOT NULL
);
CREATE TRIGGER memories_revise_delete AFTER DELETE ON memories BEGIN
  UPDATE meta SET value = value + 1 WHERE key = 'revision';
  INSERT INTO deletions SELECT CAST(value AS INTEGER), OLD.id FROM meta WHERE key = 'revision';
END;

-- Words. Speakers' names are not in the text: they are features, not words.
CREATE VIEW searchable_memories AS SELECT id, text FROM memories WHERE searchable = 1;
CREATE VIRTUAL TABLE memories_fts USING fts5 (
  text, content = 'searchable_memories', content_rowid = 'id',
  tokenize = 'porter unicode61 remove_diacritics 2'
);
-- Every place of every word, for BM25 over one message or over a session, and for word pairs.
CREATE VIRTUAL TABLE memories_words USING fts5vocab (memories_fts, instance);
CREATE TRIGGER memories_fts_insert AFTER INSERT ON memories WHEN NEW.searchable = 1 BEGIN
  INSERT INTO memories_fts (rowid, text) VALUES (NEW.id, NEW.text);
END;
CREATE TRIGGER memories_fts_delete AFTER DELETE ON memories WHEN OLD.searchable = 1 BEGIN
  INSERT INTO memories_fts (memories_fts, rowid, text) VALUES ('delete', OLD.id, OLD.text);
END;
CREATE TRIGGER memories_fts_take AFTER UPDATE OF text, searchable ON memories
WHEN OLD.searchable = 1 BEGIN
  INSERT INTO memories_fts (memories_fts, rowid, text) VALUES ('delete', OLD.id, OLD.text);
END;
CREATE TRIGGER memories_fts_put AFTER UPDATE OF text, searchable ON memories
WHEN NEW.searchable = 1 BEGIN
  INSERT INTO memories_fts (rowid, text) VALUES (NEW.id, NEW.text);
END;

-- Meaning. A store may hold the vectors of two embedders while `reindex` runs; recall reads those
-- of the one that `meta.embedder` names and never mixes two.
CREATE TABLE embedders (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  dimension INTEGER NOT NULL
);
CREATE TABLE vectors (
  memory_id INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  embedder_id INTEGER NOT NULL REFERENCES embedders ON DELETE CASCADE,
  view INTEGER NOT NULL DEFAULT 0,  -- 0 the text alone, 1 the text after the message before it
  codes BLOB NOT NULL,              -- int8, one a dimension
  scale REAL NOT NULL,              -- code * scale is the component
  generation INTEGER NOT NULL DEFAULT 0,  -- the counter below when it was written
  PRIMARY KEY (memory_id, embedder_id, view)
) WITHOUT ROWID;
CREATE INDEX vectors_embedder ON vectors (embedder_id, view, generation);
-- Every change to a vector, or to whether it may be found, is one step: an index reads what is new.
CREATE TABLE vector_counters (
  embedder_id INTEGER NOT NULL REFERENCES embedders ON DELETE CASCADE,
  view INTEGER NOT NULL,
  value INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (embedder_id, view)
) WITHOUT ROWID;
CREATE TRIGGER vectors_revise_insert AFTER INSERT ON vectors BEGIN
  INSERT INTO vector_counters VALUES (NEW.embedder_id, NEW.view, 1)
    ON CONFLICT DO UPDATE SET value = value + 1;
  UPDATE vectors SET generation = (SELECT value FROM vector_counters c
      WHERE c.embedder_id = NEW.embedder_id AND c.view = NEW.view)
    WHERE memory_id = NEW.memory_id AND embedder_id = NEW.embedder_id AND view = NEW.view;
END;
CREATE TRIGGER vectors_revise_delete AFTER DELETE ON vectors BEGIN
  UPDATE vector_counters SET value = value + 1
    WHERE embedder_id = OLD.embedder_id AND view = OLD.view;
END;
CREATE TRIGGER memories_revise_vectors AFTER UPDATE OF state, searchable ON memories
WHEN (OLD.searchable AND OLD.state IN ('active', 'faded'))
  <> (NEW.searchable AND NEW.state IN ('active', 'faded')) BEGIN
  UPDATE vector_counters SET value = value + 1
    WHERE (embedder_id, view) IN (SELECT embedder_id, view FROM vectors WHERE memory_id = NEW.id);
  UPDATE vectors SET generation = (SELECT value FROM vector_counters c
      WHERE c.embedder_id = vectors.embedder_id AND c.view = vectors.view)
    WHERE memory_id = NEW.id;
END;

CREATE TABLE thoughts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  memory_id INTEGER NOT NULL UNIQUE REFERENCES memories ON DELETE CASCADE,  -- holds the text
  source_message_id INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
  subject TEXT,
  relation TEXT,
  object TEXT,
  label TEXT,                   -- from the closed list of the writers
  event_time TEXT,
  superseded_by INTEGER REFERENCES thoughts ON DELETE SET NULL,
  confirmed INTEGER NOT NULL DEFAULT 1,   -- 0 while mode `ask` waits for the person
  writer TEXT NOT NULL,
  writer_version TEXT NOT NULL,
  created TEXT NOT NULL
);
CREATE INDEX thoughts_source ON thoughts (source_message_id);
CREATE INDEX thoughts_slot ON thoughts (subject, relation);
CREATE INDEX thoughts_superseded ON thoughts (superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE thought_history (
  id INTEGER PRIMARY KEY,
  thought_id INTEGER NOT NULL REFERENCES thoughts ON DELETE CASCADE,
  operation TEXT NOT NULL,      -- insert, merge, supersede, forget, edit, reinforce, keep, undo
  at TEXT NOT NULL,
  actor TEXT NOT NULL,          -- the writer, or "person"
  reason TEXT NOT NULL DEFAULT '',
  before TEXT,                  -- JSON of what changed
  after TEXT
);
CREATE INDEX thought_history_thought ON thought_history (thought_id, id);

CREATE TABLE links (
  id INTEGER PRIMARY KEY,
  from_memory INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  to_memory INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('similar', 'conflict', 'refines', 'caused')),
  reason TEXT NOT NULL,
  weight REAL NOT NULL DEFAULT 1,
  created TEXT NOT NULL,
  resolution TEXT,              -- of a conflict, by the person: a, b or both
  resolved TEXT,
  UNIQUE (from_memory, to_memory, kind)
);
CREATE INDEX links_to ON links (to_memory);

CREATE TABLE entities (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,     -- case-folded
  name TEXT NOT NULL
);
CREATE TABLE mentions (
  memory_id INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  entity_id INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
  PRIMARY KEY (memory_id, entity_id)
) WITHOUT ROWID;
CREATE INDEX mentions_entity ON mentions (entity_id, memory_id);

CREATE TABLE episodes (
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
  first_turn_id INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
  last_turn_id INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
  title TEXT NOT NULL DEFAULT '',
  boundary TEXT NOT NULL,       -- what began it: start, gap, surprise or embedding
  strength REAL NOT NULL DEFAULT 0,  -- of the boundary: nats or distance over the threshold
  created TEXT NOT NULL,
  closed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX episodes_conversation ON episodes (conversation_id, id);
CREATE INDEX episodes_first ON episodes (first_turn_id);
CREATE INDEX episodes_last ON episodes (last_turn_id);
CREATE TABLE turn_surprise (
  turn_id INTEGER PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
  surprise REAL,                -- mean nats a token; NULL where no model computed it
  distance REAL                 -- 1 - cosine to the turn before
);

CREATE TABLE summaries (
  id INTEGER PRIMARY KEY,
  memory_id INTEGER NOT NULL UNIQUE REFERENCES memories ON DELETE CASCADE,  -- holds the text
  kind TEXT NOT NULL CHECK (kind IN ('day', 'portrait', 'episode')),
  day TEXT,                     -- YYYY-MM-DD, for a day
  episode_id INTEGER REFERENCES episodes ON DELETE CASCADE,
  created TEXT NOT NULL
);
CREATE INDEX summaries_day ON summaries (kind, day);
CREATE INDEX summaries_episode ON summaries (episode_id) WHERE episode_id IS NOT NULL;
CREATE TABLE summary_sources (
  summary_id INTEGER NOT NULL REFERENCES summaries ON DELETE CASCADE,
  memory_id INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  position INTEGER NOT NULL,
  PRIMARY KEY (summary_id, memory_id)
) WITHOUT ROWID;
CREATE INDEX summary_sources_memory ON summary_sources (memory_id);

-- What one turn recalled: given to the model (rank from 1), or a near-miss with its reason.
CREATE TABLE recalls (
  turn_id INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
  memory_id INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  rank INTEGER NOT NULL,
  given INTEGER NOT NULL,
  score REAL NOT NULL,
  signals TEXT NOT NULL,        -- JSON, name to value
  reason TEXT NOT NULL DEFAULT '',
  quoted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (turn_id, memory_id)
) WITHOUT ROWID;
CREATE INDEX recalls_memory ON recalls (memory_id);

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  turn_id INTEGER REFERENCES turns ON DELETE CASCADE,
  state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  created TEXT NOT NULL,
  finished TEXT,
  error TEXT,
  UNIQUE (kind, turn_id)
);
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_turn ON jobs (turn_id);
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  until TEXT NOT NULL
) WITHOUT ROWID;

-- What the person did, so that it can be undone. Holds ids and states, never text.
CREATE TABLE operations (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,           -- forget, pin, supersede, fade, delete, ...
  at TEXT NOT NULL,
  before TEXT NOT NULL,         -- JSON: [[memory id, state], ...]
  conversation_id INTEGER REFERENCES conversations ON DELETE CASCADE,  -- that was deleted
  undone TEXT
);
CREATE INDEX operations_conversation ON operations (conversation_id)
  WHERE conversation_id IS NOT NULL;

-- Memories the person never wants recalled in one conversation.
CREATE TABLE exclusions (
  memory_id INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
  conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
  created TEXT NOT NULL,
  PRIMARY KEY (conversation_id, memory_id)
) WITHOUT ROWID;
CREATE INDEX exclusions_memory ON exclusions (memory_id);
"""

# SQLite does not say which of two triggers on one event runs first: "put" before "take" lost the words
# of a memory whose text or searchable was set to what it was. One trigger has an order of its own.
WORDS_FOLLOW_IN_ORDER: Final = """
DROP TRIGGER memories_fts_take;
DROP TRIGGER memories_fts_put;
CREATE TRIGGER memories_fts_update AFTER UPDATE OF text, searchable ON memories BEGIN
  INSERT INTO memories_fts (memories_fts, rowid, text)
    SELECT 'delete', OLD.id, OLD.text WHERE OLD.searchable = 1;
  INSERT INTO memories_fts (rowid, text) SELECT NEW.id, NEW.text WHERE NEW.searchable = 1;
END;
INSERT INTO memories_fts (memories_fts) VALUES ('rebuild');
"""

# Number n is MIGRATIONS[n - 1]; the name is what `migrations` records.
MIGRATIONS: Final[tuple[tuple[str, str], ...]] = (
    ("001_first_tables", FIRST_TABLES),
    ("002_words_follow_in_order", WORDS_FOLLOW_IN_ORDER),
)
