"""Which modules are loaded together, and so become one.

Every block of statements that imports something later is a *reason* to load modules: what it names
and what those import at the top, without what is loaded already when the block runs. Modules with
the same reasons make a part: it holds nothing that its users do not need, and no module is in two.
"""

from tools.bundle.source import Module

BUNDLE = "pilotwire"  # name of the main part


def split(modules: dict[str, Module], start: set[str]) -> dict[str, list[str]]:
    """Return the names of each part's modules in order; `start` is what the main part holds."""
    reasons = {name: [] for name in modules}
    number = 0
    for module in modules.values():
        loaded = start | _closure({module.name}, modules)
        for block in module.later:
            for name in _closure(block, modules) - loaded:
                reasons[name].append(number)
            number += 1
    together = {}
    for name in modules:
        together.setdefault(tuple(reasons[name]), []).append(name)
    # The last module of a part is what imports the others: it gives the name.
    return {
        f"{BUNDLE}_{names[-1].replace('.', '_')}" if key else BUNDLE: names
        for key, names in sorted(together.items())
    }


def _closure(names, modules):
    """The modules and all that they import at the top."""
    found = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += modules[name].needed()
    return found
