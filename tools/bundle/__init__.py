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

Then names are made few and short, and lines few. What a traceback or an error of the image says is
brought back to the sources by tools/decode_traceback.py.

    source.py   reads the modules, checks that they can be joined
    parts.py    decides which modules are loaded together
    names.py    gives every definition a name that is unique in all parts
    joiner.py   rewrites the modules of one part into one tree
    foreign.py  lists the names that are not ours to change
    shorten.py  gives short names, shared where that changes nothing
    texts.py    keeps the texts of exceptions in one
    writer.py   writes the text, and where each line came from
"""

from dataclasses import dataclass, field
from pathlib import Path

from tools.bundle.foreign import vocabulary
from tools.bundle.joiner import Joiner
from tools.bundle.names import choose_names
from tools.bundle.parts import BUNDLE, split
from tools.bundle.shorten import intern, shorten
from tools.bundle.source import BundleError, collect, find
from tools.bundle.texts import gather
from tools.bundle.writer import Writer

__all__ = ["BUNDLE", "Bundle", "BundleError", "bundle", "find"]

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Bundle:
    """The parts by name, the main one first, and the way back to the sources."""

    texts: dict[str, str] = field(default_factory=dict)
    # part → (file, line, function) of each line, None for lines that no source has
    origins: dict[str, list] = field(default_factory=dict)
    # "globals", "attributes", "arguments": old name → new name, if it has a new one
    names: dict[str, dict[str, str]] = field(default_factory=dict)


def bundle(
    entries: list[str],
    root: Path = ROOT,
    exported: frozenset = frozenset({"main"}),
    is_short: bool = True,
    texts: "dict[str, str] | None" = None,
) -> Bundle:
    """Join the entries and all that they import, now or later. Raises BundleError.

    The main part, BUNDLE, has the entries and what they import at the top. Names in `exported` can
    be imported from it; without `is_short` all names can that are unique in the sources.
    """
    modules, start = collect(entries, root, texts or {})
    foreign = vocabulary(modules)
    parts = split(modules, start)
    joiner = Joiner(modules, parts, choose_names(modules))
    trees = {part: joiner.tree(part) for part in parts}
    result = Bundle()
    if is_short:
        result.names = vars(shorten(trees, foreign, exported))
        gather(trees[BUNDLE])
        intern(trees[BUNDLE])  # other parts may be dropped after use, names never are
    for part, tree in trees.items():
        writer = Writer(tree)
        result.texts[part] = writer.text
        result.origins[part] = writer.origins
    return result
