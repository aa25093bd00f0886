"""`python -m tests.mutation.naming`, in a copy: print the name of every mutant that mutmut makes there."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Ask mutmut, which reads its settings from the working directory."""
    files: Any = import_module("mutmut.utils.file_utils")
    formats: Any = import_module("mutmut.utils.format_utils")
    mutation: Any = import_module("mutmut.mutation.file_mutation")
    for file in sorted(files.walk_mutatable_files()):
        for name in mutation.mutate_file_contents(str(file), file.read_text()).mutant_names:
            print(formats.get_mutant_name(file, name))


if __name__ == "__main__":
    main()
