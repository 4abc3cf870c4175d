"""tools/bundle.py: the joined module means the same as the modules it was made from."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools import romfs
from tools.bundle import BUNDLE, BundleError, bundle
from tools.micropython import micropython_path

SHIM = {"micropython": types.SimpleNamespace(const=lambda value: value)}


def project(folder: Path, **files: str) -> Path:
    """Write modules given as `package__module="text"` below lib/."""
    for name, text in files.items():
        path = folder / "lib" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(folder: Path, *entries: str):
    """The joined module of a project, executed."""
    text, outside = bundle(list(entries), folder)
    module = types.ModuleType(BUNDLE)
    saved = dict(sys.modules)
    sys.modules.update(SHIM)
    try:
        exec(compile(text, BUNDLE, "exec"), module.__dict__)
    finally:
        sys.modules.clear()
        sys.modules.update(saved)
    return module, text, outside


def test_names_that_clash_are_told_apart(tmp_path):
    project(
        tmp_path,
        a__one="_X = 1\ndef get():\n    return _X\n",
        a__two="from a.one import get as first\n_X = 2\n"
        "def get():\n    return first() * 10 + _X\n",
        a__main="from a import two\nfrom a.two import get\n"
        "def main():\n    return two.get(), get()\n",
    )
    module, _, _ = run(tmp_path, "a.main")
    assert module.main() == (12, 12)


def test_locals_arguments_and_comprehensions_shadow_global_names(tmp_path):
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
    module, _, _ = run(tmp_path, "a.main")
    assert module.main() == (([1, 2], [1]), 9, "x", "global", "other")


def test_class_bodies_attributes_and_module_variables(tmp_path):
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
    module, text, _ = run(tmp_path, "a.main")
    assert module.main() == ("sub1", "sub2", 14, 7, 0)
    assert "_KIND" in text and "Text." not in text


def test_a_name_does_not_hide_the_built_in_that_another_module_uses(tmp_path):
    project(
        tmp_path,
        a__one="def hash(x):\n    return 'ours'\n",
        a__main="from a import one\ndef main():\n    return one.hash(1), hash(1)\n",
    )
    module, _, _ = run(tmp_path, "a.main")
    assert module.main() == ("ours", 1)


def test_imports_in_functions_are_resolved_or_stay_outside(tmp_path):
    project(
        tmp_path,
        a__one="def f():\n    return 1\n",
        a__late="from a.helper import g\n",
        a__helper="def g():\n    return 2\n",
        a__main="from a import one\n"
        "def main():\n    from a.one import f\n    return f() + one.f()\n"
        "def later():\n    from a.late import g\n    return g()\n",
    )
    module, text, outside = run(tmp_path, "a.main")
    assert module.main() == 2
    assert outside == ["a.helper", "a.late"]
    assert "from a.late import g" in text and "from a.one" not in text


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
            {"a__main": "from a import b\nimport json as x\n", "a__b": "import time as x\n"},
            "x means another import elsewhere",
        ),
    ],
)
def test_what_cannot_be_bundled_is_named(tmp_path, files, words):
    with pytest.raises(BundleError, match=words):
        bundle(["a.main"], project(tmp_path, **files))


def test_the_firmware_is_bundled_and_answers_under_micropython(tmp_path):
    tree = romfs.compile_bundle("sim", romfs.ROOT)
    script = tmp_path / "look.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:] = [{str(tree)!r}, {str(tree / 'lib')!r}, '.frozen']\n"
        f"import {BUNDLE} as b\n"
        "ws = b.WebSocket(b._SERVER if hasattr(b, '_SERVER') else 1, lambda n: bytes(n))\n"
        "ws.start(0)\n"
        "print(ws.deadline(), b.duration(90), b.parse_duration('PT2H'))\n"
        "print(b.find_function('resultData') >= 0)\n"
    )
    done = subprocess.run([micropython_path(32), script], capture_output=True, text=True)
    assert done.stdout.split() == ["15000", "PT90S", "7200", "True"], done.stderr
