"""tools/bundle.py: the joined module means the same as the modules it was made from."""

import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools import romfs
from tools.bundle import BUNDLE, BundleError, bundle
from tools.micropython import micropython_path

EXPORTED = {"main", "later", "limit", "second"}
SHIM = {"micropython": types.SimpleNamespace(const=lambda value: value)}


both = pytest.mark.parametrize("is_short", [False, True], ids=["plain", "short"])


def project(folder: Path, **files: str) -> Path:
    """Write modules given as `package__module="text"` below lib/."""
    for name, text in files.items():
        path = folder / "lib" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class Bundled:
    """The parts of a project, to be executed as modules, with only each other to import."""

    def __init__(self, folder: Path, is_short: bool):
        self.bundle = bundle(["a.main"], folder, EXPORTED, is_short)
        self.texts = self.bundle.texts

    def __enter__(self):
        self._saved = dict(sys.modules)
        sys.modules.update(SHIM)
        sys.meta_path.insert(0, self)
        return __import__(BUNDLE)

    def __exit__(self, *_):
        sys.meta_path.remove(self)
        sys.modules.clear()
        sys.modules.update(self._saved)

    def find_spec(self, name, path=None, target=None):
        if name in self.texts:
            return importlib.util.spec_from_loader(name, self)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.texts[module.__name__], module.__name__, "exec"), module.__dict__)


@both
def test_names_that_clash_are_told_apart(tmp_path, is_short):
    project(
        tmp_path,
        a__one="_X = 1\ndef get():\n    return _X\n",
        a__two="from a.one import get as first\n_X = 2\n"
        "def get():\n    return first() * 10 + _X\n",
        a__main="from a import two\nfrom a.two import get\n"
        "def main():\n    return two.get(), get()\n",
    )
    with Bundled(tmp_path, is_short) as module:
        assert module.main() == (12, 12)


@both
def test_locals_arguments_and_comprehensions_shadow_global_names(tmp_path, is_short):
    text = """
def item():
    return "global"
def rows(item):
    return [item for item in (item, 2)], [item for row in (1,)]
def inner():
    item = 3
    def deeper(x=item):
        return item + x
    return deeper() + (lambda item: item)(1) + sum(item for item in (1, 1))
def caught():
    try:
        raise ValueError("x")
    except ValueError as item:
        return str(item)
def outer():
    return item()
"""
    other = "def item():\n    return 'other'\n"
    project(
        tmp_path,
        a__one=text,
        a__two=other,
        a__main="from a import one, two\n"
        "def main():\n    return (\n"
        "        one.rows(1), one.inner(), one.caught(), one.outer(), two.item())\n",
    )
    with Bundled(tmp_path, is_short) as module:
        assert module.main() == (([1, 2], [1]), 9, "x", "global", "other")


@both
def test_class_bodies_attributes_and_module_variables(tmp_path, is_short):
    text = """
from micropython import const
KIND = const(7)
_count = 0
class Base:
    \"\"\"Text.\"\"\"
    name = "base"
    kind = KIND
    def name_of(self):
        return self.name + name()
    @property
    def twice(self):
        return self.kind * 2
def name():
    global _count
    _count += 1
    return str(_count)
"""
    project(
        tmp_path,
        a__one=text,
        a__two="def name():\n    return 0\n",
        a__main="from a.one import Base, KIND\nfrom a.two import name\n"
        "class Sub(Base):\n    name = 'sub'\n"
        "def main():\n    s = Sub()\n    return s.name_of(), s.name_of(), s.twice, KIND, name()\n",
    )
    bundled = Bundled(tmp_path, is_short)
    with bundled as module:
        assert module.main() == ("sub1", "sub2", 14, 7, 0)
    assert "_KIND" in bundled.texts[BUNDLE] and "Text." not in bundled.texts[BUNDLE]


@both
def test_a_name_does_not_hide_the_built_in_that_another_module_uses(tmp_path, is_short):
    project(
        tmp_path,
        a__one="def hash(x):\n    return 'ours'\n",
        a__main="from a import one\ndef main():\n    return one.hash(1), hash(1)\n",
    )
    with Bundled(tmp_path, is_short) as module:
        assert module.main() == ("ours", 1)


@both
def test_what_functions_import_becomes_a_part_unless_it_is_there_already(tmp_path, is_short):
    project(
        tmp_path,
        a__one="def f():\n    return 1\n",
        a__late="from a.helper import g\nfrom a import one\ndef h():\n    return one.f(), g()\n",
        a__helper="def g():\n    return 2\n",
        a__main="from a import one\n"
        "def main():\n    from a.one import f\n    return f() + one.f()\n"
        "def later():\n    from a.late import h\n    return h()\n",
    )
    bundled = Bundled(tmp_path, is_short)
    assert list(bundled.texts) == [BUNDLE, "pilotwire_a_late"]
    assert "from pilotwire_a_late import" in bundled.texts[BUNDLE]
    assert "from pilotwire import" in bundled.texts["pilotwire_a_late"]
    with bundled as module:
        assert module.main() == 2
        assert "pilotwire_a_late" not in sys.modules
        assert module.later() == (1, 2)


@both
def test_parts_share_classes_variables_and_constants(tmp_path, is_short):
    """What several parts need exists once; names are told apart in all parts."""
    project(
        tmp_path,
        a__errors="class Refused(Exception):\n    pass\n",
        a__shared="from micropython import const\nfrom a.errors import Refused\n"
        "_BASE = const(4)\nLIMIT = const(_BASE + 1)\n"
        "_seen = []\nclass Item:\n    pass\n"
        "def note(x):\n    _seen.append(x)\n    return _seen\n",
        a__left="from a.shared import Item, LIMIT, note\nfrom a import errors\n"
        "def make():\n    note(LIMIT)\n    return Item()\n"
        "def refuse():\n    raise errors.Refused('left')\n",
        a__right="from a import shared\n"
        "def make():\n    return shared.Item(), shared.note(shared.LIMIT + 1)\n",
        a__main="from a.errors import Refused\n"
        "def main():\n"
        "    from a.left import make, refuse\n"
        "    from a import right\n"
        "    other, seen = right.make()\n"
        "    mine = make()\n"
        "    try:\n        refuse()\n"
        "    except Refused as error:\n"
        "        return type(mine) is type(other), seen, str(error)\n"
        "def limit():\n    from a.shared import LIMIT, note\n    return LIMIT, note(0)\n"
        "def second():\n    from a import right, shared\n"
        "    return right.make()[1] is shared.note(9), shared.LIMIT\n",
    )
    bundled = Bundled(tmp_path, is_short)
    assert sorted(bundled.texts) == [
        BUNDLE,
        "pilotwire_a_left",
        "pilotwire_a_right",
        "pilotwire_a_shared",
    ]
    assert "class Item" not in bundled.texts["pilotwire_a_left"]
    assert "_LIMIT = const(_BASE + 1)" in bundled.texts[BUNDLE]
    with bundled as module:
        assert module.limit() == (5, [0])
        assert module.main() == (True, [0, 6, 5], "left")
        assert module.second() == (True, 5)


@both
def test_a_part_may_have_parts_and_does_not_load_again_what_its_user_has(tmp_path, is_short):
    project(
        tmp_path,
        a__base="def base():\n    return 1\n",
        a__deep="from a.base import base\ndef deep():\n    return base() + 1\n",
        a__part="from a.base import base\n"
        "def part():\n    from a.deep import deep\n    return base(), deep()\n",
        a__main="def main():\n    from a.part import part\n    return part()\n",
    )
    bundled = Bundled(tmp_path, is_short)
    assert list(bundled.texts) == [BUNDLE, "pilotwire_a_part", "pilotwire_a_deep"]
    with bundled as module:
        assert module.main() == (1, 2)


@both
def test_one_local_name_may_be_imported_from_several_modules(tmp_path, is_short):
    project(
        tmp_path,
        a__here="def run(x):\n    return 'here', x\n",
        a__one="def run(x):\n    return 'one', x\n",
        a__two="def run(run):\n    return 'two', run\n",
        a__main="from a.here import run as there\n"
        "def main():\n    return [second(n)(n) for n in range(4)]\n"
        "def second(n):\n"
        "    if n == 1:\n        from a.one import run\n"
        "    elif n == 2:\n        from a.two import run\n"
        "    elif n == 3:\n        from a.here import run\n"
        "    else:\n        run = there\n"
        "    return run\n",
    )
    with Bundled(tmp_path, is_short) as module:
        assert module.main() == [("here", 0), ("one", 1), ("two", 2), ("here", 3)]


@both
def test_texts_of_exceptions_are_what_they_were(tmp_path, is_short):
    project(
        tmp_path,
        a__main="def main():\n    return [second(n) for n in range(5)]\n"
        "def second(n):\n"
        "    try:\n"
        "        if n == 0:\n            raise ValueError('the first of all texts')\n"
        "        if n == 1:\n            raise ValueError('%d is the second text' % n)\n"
        "        if n == 2:\n            raise ValueError('short %d' % n)\n"
        "        if n == 3:\n            raise KeyError('the first of all texts', 'ümläute: '*2)\n"
        "        raise ValueError('first of all')\n"
        "    except (ValueError, KeyError) as error:\n"
        "        return error.args\n",
    )
    bundled = Bundled(tmp_path, is_short)
    with bundled as module:
        assert module.main() == [
            ("the first of all texts",),
            ("1 is the second text",),
            ("short 2",),
            ("the first of all texts", "ümläute: ümläute: "),
            ("first of all",),
        ]
    assert bundled.texts[BUNDLE].count("first of all") == (1 if is_short else 3)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a__main": "print(1)\n"}, "a.main:1: code at module level"),
        (
            {"a__main": "from a import b\ndef f():\n    return b\n", "a__b": ""},
            "used as an object",
        ),
        ({"a__main": "from a.b import x\n", "a__b": "from a.main import y\n"}, "in a circle"),
        ({"a__main": "import a.b\n", "a__b": ""}, "import own modules with `from`"),
        ({}, "no module named a.main"),
        (
            {"a__main": "def f():\n    import a.b\n", "a__b": ""},
            "import own modules with `from`",
        ),
        (
            {
                "a__main": "def f(x):\n    if x:\n        from a import b as y\n"
                "    else:\n        from a.b import y\n    return y\n",
                "a__b": "y = 1\n",
            },
            "a.main:3: y stands for a module and for something else",
        ),
        (
            {"a__main": "from a.b import y\ndef f():\n    return y\n", "a__b": "x = 1\n"},
            "a.main:3: a.b does not define y",
        ),
        (
            {
                "a__main": "count = 0\ndef f():\n    global count\n    count = 1\n"
                "def g():\n    from a.b import h\n    return h()\n",
                "a__b": "from a.c import d\ndef h():\n    from a import main\n"
                "    return main.count\n",
                "a__c": "def d():\n    return 1\n",
            },
            "a.b:4: count is assigned anew in another part",
        ),
        (
            {"a__main": "from a import b\nimport json as x\n", "a__b": "import time as x\n"},
            "x means another import elsewhere",
        ),
        (
            {
                "a__main": "from a import first, second\n",
                "a__first": "def main():\n    from a.second import X\n\n    return X\n",
                "a__second": "from micropython import const\n\nX = const(1)\n",
            },
            "a.first:4: constant X is imported in a function: do it at the top",
        ),
    ],
)
def test_what_cannot_be_bundled_is_named(tmp_path, files, words):
    with pytest.raises(BundleError, match=words):
        bundle(["a.main"], project(tmp_path, **files))


def test_the_firmware_is_bundled_and_answers_under_micropython(tmp_path):
    tree = romfs.compile_bundle("sim", romfs.ROOT)
    names = json.loads((romfs.ROOT / "build" / "bundle" / "sim" / romfs.MAP).read_text())["names"]
    script = tmp_path / "look.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:] = [{str(tree)!r}, '.frozen']\n"
        f"import {BUNDLE} as b\n"
        "def get(name):\n"
        f"    return getattr(b, {names['globals']!r}.get(name, name))\n"
        "print(get('duration')(90), get('parse_duration')('PT2H'))\n"
        "print(get('find_function')('resultData') >= 0)\n"
    )
    done = subprocess.run([micropython_path(32), script], capture_output=True, text=True)
    assert done.stdout.split() == ["PT90S", "7200", "True"], done.stderr
