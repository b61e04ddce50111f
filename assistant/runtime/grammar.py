"""A JSON schema as GBNF, so that a reply can only be JSON of that shape.

Knows schemas and grammars, no model. The conversion is llama-cpp-python's; it fetches nothing.
"""

import json

from assistant.errors import InputError


def grammar_of_schema(schema: str) -> str:
    """GBNF for the JSON schema written in `schema`. Raises InputError."""
    try:
        parsed = json.loads(schema)
    except json.JSONDecodeError as error:
        raise InputError(
            f"The schema is not JSON: {error.msg} in line {error.lineno}.", "Mend the file."
        ) from error
    if not isinstance(parsed, dict):
        raise InputError("The schema is not a JSON object.", "Begin it with {.")
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    # The converter answers a schema it does not know with whatever fails first inside it.
    try:
        return str(json_schema_to_gbnf(schema))
    except Exception as error:
        raise InputError(
            f"The schema cannot be made into a grammar: {error or type(error).__name__}.",
            "Use types, properties, enum, items, anyOf and $ref within the file.",
        ) from error
