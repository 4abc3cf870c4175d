"""tools/spine_tables.py: what the generator accepts and how large its tables get.

The tables of the whole data model are also put under lib/spine/model.py, in a process of its own.
"""

import subprocess
import sys

import pytest

from tools import spine_tables

# The only list function whose entries are no complex elements; no charger serves it.
PLAIN_LIST = "specificationVersionListData"

# Decodes and encodes one full value of every function; prints how many there were.
ROUND_TRIP = """
import importlib.util, json, sys
sys.path[:0] = {path!r}
spec = importlib.util.spec_from_file_location("spine.tables", sys.argv[1])
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)
sys.modules["spine.tables"] = tables
from spine import model
assert model.tables is tables

def sample(index):
    result = {{}}
    for field in model.fields(index):
        value = one(field)
        result[model.field_name(field)] = [value, value] if model.is_list(field) else value
    return result

def one(field):
    index = model.field_type(field)
    if index < 0:
        return simple(field)
    value = sample(index)
    if model.is_choice(field):
        name = next(iter(value))
        value = {{name: value[name]}}
    return value

def simple(field):
    decoder = model.Decoder()
    for value in (True, -7, 7, "text"):
        tried = decoder.field(field, [value] if model.is_list(field) else value)
        tried = tried[0] if isinstance(tried, list) and tried else tried
        if type(tried) is type(value) and tried == value or tried == {{}}:
            return tried
    raise AssertionError(model.field_name(field))

count = 0
for name in sys.argv[2].split(",") if sys.argv[2] else model.functions():
    if not sys.argv[2] and name == {plain_list!r}:
        continue
    row = model.find_function(name)
    assert model.function_name(row) == name
    value = sample(model.function_type(row))
    out = bytearray()
    model.encode_function(out, row, value)
    text = json.loads(bytes(out))
    assert list(text) == [name]
    decoder = model.Decoder()
    again = decoder.decode(model.function_type(row), text[name])
    assert again == value and list(again) == list(value), (name, value, again)
    assert decoder.unknown == decoder.unusable == 0, name
    count += 1
print(count)
"""


@pytest.fixture(scope="module")
def data_model():
    return spine_tables.read_model()


def run(*arguments):
    """Run the generator as a command."""
    command = [sys.executable, "-m", "tools.spine_tables", *map(str, arguments)]
    return subprocess.run(command, cwd=spine_tables.ROOT, capture_output=True, text=True)


def packed(data_model, profile):
    """(function names, octets) of a profile."""
    functions = spine_tables.read_profile(data_model, profile)
    return functions, spine_tables.size(spine_tables.pack(data_model, functions))


def test_the_committed_tables_are_current():
    done = run("--check")
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


def test_all_of_the_model_fits_into_40_kib(data_model):
    functions, octets = packed(data_model, "all")
    assert len(functions) == 142
    assert octets <= 40 * 1024


def test_the_profile_of_a_charger_fits_into_12_kib(data_model):
    functions, octets = packed(data_model, "charger")
    assert "loadControlLimitListData" in functions
    assert octets <= 12 * 1024


def test_a_class_or_function_name_is_a_profile(data_model):
    functions, octets = packed(data_model, "LoadControl")
    assert "loadControlLimitListData" in functions
    assert all(name.startswith("loadControl") for name in functions)
    assert 0 < octets < packed(data_model, "charger")[1]
    both, _ = packed(data_model, "measurementListData,LoadControl")
    assert both == sorted([*functions, "measurementListData"])


@pytest.mark.parametrize("profile", ["smellData", "LoadControl,Smell", "", "loadcontrol"])
def test_unknown_names_are_refused_and_nothing_is_written(tmp_path, profile):
    done = run("--profile", profile, "--output", tmp_path / "tables.py")
    assert done.returncode == 2
    assert "no function, resource class or profile file named" in done.stderr
    assert not (tmp_path / "tables.py").exists()


def test_two_runs_give_equal_octets(tmp_path):
    paths = [tmp_path / "one.py", tmp_path / "two.py"]
    for path in paths:
        done = run("--profile", "all", "--output", path)
        assert done.returncode == 0, done.stderr
        assert "142 functions" in done.stdout
    assert paths[0].read_bytes() == paths[1].read_bytes()


def round_trip(tmp_path, profile, functions=""):
    """Return how many functions came back as they went, all but PLAIN_LIST or those named."""
    path = tmp_path / "tables_here.py"
    assert run("--profile", profile, "--output", path).returncode == 0
    root = spine_tables.ROOT
    folders = [str(root / "host_tests" / "shims"), str(root / "lib")]
    script = ROUND_TRIP.format(path=folders, plain_list=PLAIN_LIST)
    command = [sys.executable, "-c", script, path, functions]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_every_function_of_a_charger_decodes_what_it_encodes(tmp_path, data_model):
    functions = spine_tables.read_profile(data_model, "charger")
    assert PLAIN_LIST not in functions
    assert round_trip(tmp_path, "charger") == len(functions)


def test_every_function_of_the_model_but_one_decodes_what_it_encodes(tmp_path):
    assert round_trip(tmp_path, "all") == 142 - 1


def test_a_list_function_of_plain_values_decodes_what_it_encodes(tmp_path):
    assert round_trip(tmp_path, "all", PLAIN_LIST) == 1
