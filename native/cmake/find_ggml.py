"""Prints where the ggml headers of the installed llama-cpp-python lie, and which ggml it runs.

One line, "include_dir;version;commit;library", or nothing where it is not installed. Version and commit
come from the library itself: llama-cpp-python installs ggml twice, and only one copy is loaded.
"""

import contextlib
import ctypes
import importlib.util
from pathlib import Path


def main() -> None:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return
    package = Path(spec.origin).parent
    include = package.parent / "include"
    if not (include / "ggml.h").exists() or not (include / "gguf.h").exists():
        return
    version = commit = ""
    library = None
    for library in sorted((package / "lib").glob("libllama.*")):
        with contextlib.suppress(OSError, AttributeError):
            loaded = ctypes.CDLL(str(library))
            loaded.ggml_version.restype = loaded.ggml_commit.restype = ctypes.c_char_p
            version = loaded.ggml_version().decode()
            commit = loaded.ggml_commit().decode()
            break
    print(include, version, commit, library or "", sep=";")


main()
