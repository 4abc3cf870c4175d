"""Join the firmware's modules into a few, for images: less RAM and less flash for the same code.

A module costs RAM by itself: a dictionary, a slot for every name it imports, a table of the names
it uses. Seventy modules of a hundred lines are good to read and dear to run. This tool joins them
into one source text, as a linker does: in the order of their imports, names that would clash
renamed, imports among them resolved, annotations and docstrings left out. Constants become private
to the joined module, whichever module they are used in, so that the compiler puts in their values
and forgets their names.

What is imported inside functions only is joined into further *parts*, modules that are loaded when
such a function runs. Parts share with the rest what they have in common: a part imports from the
main module, and a module that several parts need is in a part of its own. So each class and each
variable exists once, as it does when the modules are apart. Nothing has to be configured: an
`import` in a function makes the part.

    source.py   reads the modules, checks that they can be joined
    parts.py    decides which modules are loaded together
    names.py    gives every definition a name that is unique in all parts
    joiner.py   rewrites the modules of one part into one text
"""

from pathlib import Path

from tools.bundle.joiner import Joiner
from tools.bundle.names import choose_names
from tools.bundle.parts import BUNDLE, split
from tools.bundle.source import BundleError, collect, find

__all__ = ["BUNDLE", "BundleError", "bundle", "find"]

ROOT = Path(__file__).resolve().parent.parent.parent


def bundle(entries: list[str], root: Path = ROOT) -> dict[str, str]:
    """Return the texts of all parts by the names of their modules, the main one first.

    The main part, BUNDLE, has the entries and all that they import at the top. Raises BundleError.
    """
    modules, start = collect(entries, root)
    parts = split(modules, start)
    joiner = Joiner(modules, parts, choose_names(modules))
    return {part: joiner.text(part) for part in parts}
