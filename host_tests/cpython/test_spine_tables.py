"""The generator of tables and reference page: every profile works, `all` decodes and encodes all.

Wire texts are made from the description, not from the tables, so that both must agree.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import spine
import spine.model
from tools import spine_docs, spine_tables
from tools.micropython import micropython_path

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = spine_tables.read_model()
CLASSES = sorted({MODEL.class_of(name) for name in MODEL.functions})
NUMBERS = {spine_tables.UNSIGNED: "7", spine_tables.SIGNED: "-7", spine_tables.BOOLEAN: "true"}

ON_MICROPYTHON = """
import json, sys
sys.path[:] = [sys.argv[1], sys.argv[2], ".frozen"]
from spine import model
decoder = model.Decoder()
count = 0
with open(sys.argv[3]) as file:
    for line in file:
        name, _, text = line.strip().partition(" ")
        function = model.find_function(name)
        out = bytearray()
        tree = json.loads(text)[name]
        data = decoder.decode(model.function_type(function), tree)
        model.encode_function(out, function, data)
        assert out.decode() == text, name
        count += 1
print(count, decoder.unknown, decoder.unusable)
"""


def wire(type_name, depth=0):
    """Wire text of a complex type with all its elements, lists with two entries each."""
    members = []
    for name, field_type, flags in MODEL.types[type_name]:
        if field_type == spine_tables.EMPTY_TYPE:
            value = "[]"
        elif field_type in MODEL.types:
            if depth > 8:
                continue
            value = wire(field_type, depth + 1)
        else:
            base = MODEL.simple.get(field_type, field_type)
            value = NUMBERS.get(spine_tables.KIND_OF_BASE.get(base), '"a text"')
        if "list" in flags:
            value = f"[{value},{value}]"
        members.append('{"%s":%s}' % (name, value))
    return "[%s]" % ",".join(members)


def load(profile, monkeypatch, folder):
    """spine.model on the tables of a profile."""
    functions = spine_tables.read_profile(MODEL, profile)
    path = folder / "tables.py"
    path.write_text(spine_tables.source(spine_tables.pack(MODEL, functions), profile, functions))
    tables = _module("spine.tables", path)
    monkeypatch.setitem(sys.modules, "spine.tables", tables)
    monkeypatch.setattr(spine, "tables", tables)
    return _module("spine_model_of_profile", ROOT / "lib" / "spine" / "model.py")


def _module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(name):
    return '{"%s":%s}' % (name, wire(MODEL.functions[name]["type"]))


def test_profile_all_decodes_and_encodes_every_element_of_every_function(monkeypatch, tmp_path):
    model = load("all", monkeypatch, tmp_path)
    names = list(model.functions())
    assert names == sorted(MODEL.functions) and len(names) == 142
    for name in names:
        function = model.find_function(name)
        decoder = model.Decoder()
        text = text_of(name)
        data = decoder.decode(model.function_type(function), json.loads(text)[name])
        assert (decoder.unknown, decoder.unusable) == (0, 0), name
        out = bytearray()
        model.encode_function(out, function, data)
        assert out.decode() == text
        selectors = MODEL.functions[name]["selectors"]
        assert (model.selectors_type(function) >= 0) == bool(selectors)
        if selectors:
            tree = json.loads(wire(selectors))
            selected = decoder.decode(model.selectors_type(function), tree)
            assert list(selected) == [field for field, _, _ in MODEL.types[selectors]]
            assert decoder.unknown == 0


def test_profile_all_does_the_same_on_32_bits(tmp_path):
    package = tmp_path / "spine"
    shutil.copytree(ROOT / "lib" / "spine", package, ignore=shutil.ignore_patterns("__pycache__"))
    functions = spine_tables.read_profile(MODEL, "all")
    tables = spine_tables.pack(MODEL, functions)
    (package / "tables.py").write_text(spine_tables.source(tables, "all", functions))
    texts = tmp_path / "texts"
    texts.write_text("".join(f"{name} {text_of(name)}\n" for name in functions))
    script = tmp_path / "script.py"
    script.write_text(ON_MICROPYTHON)
    command = [micropython_path(32), "-X", "heapsize=2M", script, tmp_path, ROOT / "lib", texts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["142", "0", "0"], done.stderr


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_alone_is_a_profile(name, monkeypatch, tmp_path):
    model = load(name, monkeypatch, tmp_path)
    for function in model.functions():
        assert MODEL.class_of(function) == name
        row = model.find_function(function)
        decoder = model.Decoder()
        decoder.decode(model.function_type(row), json.loads(text_of(function))[function])
        assert (decoder.unknown, decoder.unusable) == (0, 0)


def test_any_list_of_classes_and_functions_is_a_profile(monkeypatch, tmp_path):
    model = load("LoadControl,Measurement,resultData", monkeypatch, tmp_path)
    assert {MODEL.class_of(name) for name in model.functions()} == {
        *("LoadControl", "Measurement"),
        MODEL.class_of("resultData"),
    }


def test_the_tables_keep_their_budgets():
    for profile, budget in (("charger", 12 * 1024), ("all", 40 * 1024)):
        functions = spine_tables.read_profile(MODEL, profile)
        assert spine_tables.size(spine_tables.pack(MODEL, functions)) <= budget


def run(*arguments, seed="1"):
    """Run the generator as a command."""
    command = [sys.executable, "-m", "tools.spine_tables", *map(str, arguments)]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_the_output_is_deterministic_and_the_committed_tables_are_current():
    for seed in ("1", "2"):
        done = run("--check", seed=seed)
        assert done.returncode == 0, done.stderr


def test_a_changed_copy_is_not_current_and_is_left_alone(tmp_path):
    copy = tmp_path / "tables.py"
    copy.write_bytes(spine_tables.OUTPUT.read_bytes())
    assert run("--check", "--output", copy).returncode == 0
    changed = copy.read_text().replace("limitId", "limitIe", 1)
    assert changed != copy.read_text()
    copy.write_text(changed)
    done = run("--check", "--output", copy)
    assert done.returncode == 1
    assert f"{copy} is not current" in done.stderr
    assert copy.read_text() == changed


def test_a_missing_file_is_not_current(tmp_path):
    assert run("--check", "--output", tmp_path / "none.py").returncode == 1
    assert not (tmp_path / "none.py").exists()


@pytest.mark.parametrize("profile", ["smellData", "LoadControl,Smell", "", "loadcontrol"])
def test_unknown_names_are_refused_and_nothing_is_written(tmp_path, profile):
    done = run("--profile", profile, "--output", tmp_path / "tables.py")
    assert done.returncode == 2
    assert "no function, resource class or profile file named" in done.stderr
    assert not (tmp_path / "tables.py").exists()


def test_costs_are_printed_for_each_class(capsys):
    functions = spine_tables.read_profile(MODEL, "charger")
    total = spine_tables.size(spine_tables.pack(MODEL, functions))
    spine_tables.print_costs(MODEL, functions, total)
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:-1]} == {MODEL.class_of(f) for f in functions}
    assert lines[-1].split()[-2:] == [str(len(functions)), str(total)]


def test_the_reference_page_describes_every_function_with_its_elements():
    text = spine_docs.page(MODEL, "charger")
    headings = [line[4:] for line in text.splitlines() if line.startswith("### ")]
    assert sorted(headings) == spine_tables.read_profile(MODEL, "charger")
    assert "List of `loadControlLimitData`, identified by `limitId`; selectors `limitId`." in text
    assert "isLimitChangeable | boolean | must be true for a remote write |" in text
    assert text == spine_docs.page(spine_tables.read_model(), "charger")
    assert spine_docs.page(MODEL, "all").count("\n### ") == 142
