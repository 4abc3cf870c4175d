"""State files survive a cut at any octet, at any rename, and a full file system."""

from firmware import storage
from firmware.storage import Settings, Storage

ENOSPC = 28

FIRST = b"first value"
SECOND = b"the second one"


class Cut(Exception):
    """The power is gone."""


class Disk:
    """A file system in memory that takes `budget` steps: octets, opening, renaming, removing.

    Then it raises `error`: for the step that did not fit, and for all that follow if it is a cut.
    """

    def __init__(self):
        self.files = {}
        self.budget = None
        self.error = Cut
        self.steps = 0

    def step(self, count=1):
        """How many of these steps are done before the budget ends."""
        self.steps += count
        if self.budget is None:
            return count
        done = min(count, self.budget)
        self.budget -= done
        return done

    def end(self):
        if self.error is Cut:
            raise Cut()
        raise OSError(ENOSPC)

    # --- what `os` and `open` have

    def stat(self, path):
        if path not in self.files and path not in ("state",):
            raise OSError(2)

    def listdir(self, folder):
        return [path[len(folder) + 1 :] for path in self.files]

    def rename(self, old, new):
        if not self.step():
            self.end()
        self.files[new] = self.files.pop(old)

    def remove(self, path):
        self.stat(path)
        # Removing works on a full file system.
        if self.error is Cut and not self.step():
            self.end()
        del self.files[path]

    def open(self, path, mode):
        if mode == "rb":
            self.stat(path)
            return Reading(bytes(self.files[path]))
        if not self.step():
            self.end()
        self.files[path] = bytearray()
        return Writing(self, self.files[path])


class Reading:
    def __init__(self, content):
        self.read = lambda: content

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Writing:
    def __init__(self, disk, content):
        self._disk = disk
        self._content = content

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def flush(self):
        pass

    def write(self, data):
        done = self._disk.step(len(data))
        self._content.extend(data[:done])
        if done < len(data):
            self._disk.end()


class Lines:
    def __init__(self):
        self.lines = []

    def error(self, text):
        self.lines.append(text)


def on(disk, work):
    """Do `work(Storage)` on a disk; returns what it returns, or None if the power was cut."""
    before = storage.os
    storage.os = disk
    storage.open = disk.open
    try:
        return work(Storage("state", Lines()))
    except Cut:
        return None
    finally:
        storage.os = before
        del storage.open


def copy(disk):
    other = Disk()
    other.files = {path: bytearray(content) for path, content in disk.files.items()}
    return other


def load(disk, name="name"):
    disk.budget = None
    return on(disk, lambda state: state.load(name))


def prepared(*values):
    disk = Disk()
    on(disk, lambda state: [state.save("name", value) for value in values])
    return disk


def steps_of(disk, work):
    whole = copy(disk)
    on(whole, work)
    return whole.steps


def each_cut(disk, work):
    """Yield what is on the disk after a cut before each step of the work."""
    for budget in range(steps_of(disk, work)):
        cut = copy(disk)
        cut.budget = budget
        on(cut, work)
        assert cut.budget == 0
        yield cut


def save_second(state):
    state.save("name", SECOND)


def test_the_file_is_a_magic_a_checksum_and_the_data():
    file = bytes(prepared(FIRST).files["state/name"])
    assert file == b"PW1\n" + bytes.fromhex("cc0c41e2a1757df8") + FIRST


def test_a_cut_at_any_octet_and_rename_leaves_the_old_or_the_new_value():
    for disk in (prepared(FIRST), prepared(b"older", FIRST)):
        cuts = 0
        for cut in each_cut(disk, save_second):
            assert load(cut) in (FIRST, SECOND), cut.files
            cuts += 1
        assert cuts == 1 + 4 + 8 + len(SECOND) + 2, "opening, each octet, both renames"


def test_a_cut_at_the_very_first_save_leaves_nothing_or_the_value():
    seen = set()
    for cut in each_cut(prepared(), save_second):
        seen.add(load(cut))
    assert seen == {None}, "the value is there with the last step, the rename"
    assert load(prepared(SECOND)) == SECOND


def test_after_a_cut_the_next_save_works_and_may_be_cut_as_well():
    for cut in each_cut(prepared(b"older", FIRST), save_second):
        kept = load(cut)
        for again in each_cut(cut, lambda state: state.save("name", b"third")):
            assert load(again) in (kept, b"third"), again.files
        on(cut, lambda state: state.save("name", b"third"))
        assert load(cut) == b"third"


def test_a_save_over_a_damaged_file_keeps_the_good_generation_until_it_is_done():
    disk = prepared(FIRST, b"newer")
    disk.files["state/name"][-1] ^= 1
    assert load(disk) == FIRST
    for cut in each_cut(disk, save_second):
        assert load(cut) in (FIRST, SECOND), cut.files


def test_one_wrong_octet_anywhere_is_noticed():
    disk = prepared(FIRST)
    for place in range(len(disk.files["state/name"])):
        damaged = copy(disk)
        damaged.files["state/name"][place] ^= 0x10
        assert load(damaged) is None
    for length in range(len(disk.files["state/name"])):
        damaged = copy(disk)
        damaged.files["state/name"] = damaged.files["state/name"][:length]
        assert load(damaged) is None


def test_a_full_file_system_raises_keeps_the_old_value_and_leaves_no_rest():
    disk = prepared(b"older", FIRST)
    for budget in range(1 + 4 + 8 + len(SECOND)):
        full = copy(disk)
        full.error = OSError
        full.budget = budget
        try:
            on(full, save_second)
            raise AssertionError("it has room for it all")
        except OSError as error:
            assert error.args[0] == ENOSPC
        assert full.files == disk.files
        full.budget = None  # room again
        on(full, save_second)
        assert load(full) == SECOND


def test_what_has_not_changed_is_not_written():
    disk = prepared(FIRST)
    assert steps_of(disk, lambda state: state.save("name", FIRST)) == 0


def test_removing_leaves_all_or_nothing():
    disk = prepared(FIRST, SECOND)
    on(disk, lambda state: state.save_value("name", "third", 3))

    def value(files):
        return on(files, lambda state: state.load_value("name", (None, None)))

    for cut in each_cut(disk, lambda state: state.remove("name")):
        cut.budget = None
        assert value(cut) == "third", cut.files
    on(disk, lambda state: state.remove("name"))
    assert disk.files == {}


# --- schemas


def plus_b(value):
    return dict(value, b=1)


def plus_c(value):
    return dict(value, c=value["b"] + 1)


def load_value(disk, migrations):
    return on(disk, lambda state: state.load_value("name", migrations))


def test_a_value_of_each_older_schema_is_migrated_to_the_newest():
    disk = Disk()
    assert load_value(disk, (plus_b, plus_c)) is None
    on(disk, lambda state: state.save_value("name", {"a": 0}))
    assert load_value(disk, (plus_b, plus_c)) == {"a": 0, "b": 1, "c": 2}
    on(disk, lambda state: state.save_value("name", {"b": 5}, 2))
    assert load_value(disk, (plus_b, plus_c)) == {"b": 5, "c": 6}
    on(disk, lambda state: state.save_value("name", {"c": 9}, 3))
    assert load_value(disk, (plus_b, plus_c)) == {"c": 9}
    assert sorted(disk.files) == ["state/name", "state/name.2", "state/name.3"]


def test_older_firmware_finds_its_own_schema_and_what_it_writes_is_the_latest():
    disk = Disk()
    on(disk, lambda state: state.save_value("name", {"a": 0}))
    on(disk, lambda state: state.save_value("name", {"c": 9}, 3))
    assert load_value(disk, ()) == {"a": 0}
    on(disk, lambda state: state.save_value("name", {"a": 7}))
    assert load_value(disk, (plus_b, plus_c)) == {"a": 7, "b": 1, "c": 2}


def test_a_cut_during_a_migration_leaves_the_old_schema_or_the_new():
    disk = Disk()
    on(disk, lambda state: state.save_value("name", {"a": 0}))
    migrated = {"a": 0, "b": 1}
    for cut in each_cut(disk, lambda state: state.save_value("name", migrated, 2)):
        cut.budget = None
        assert load_value(cut, (plus_b,)) == migrated


def test_names_that_begin_alike_are_not_taken_for_schemas():
    disk = Disk()
    names = ("name", "names", "name-2")
    on(disk, lambda state: [state.save_value(name, name) for name in names])
    on(disk, lambda state: state.remove("name"))
    assert sorted(disk.files) == ["state/name-2", "state/names"]


# --- settings


def test_settings_are_written_when_they_change_and_only_then():
    disk = Disk()

    def session(state):
        settings = Settings(state, "settings")
        assert settings.get("a", 5) == 5
        settings.put("a", 1)
        settings.save_if_changed()
        steps = disk.steps
        settings.put("a", 1)
        settings.save_if_changed()
        assert disk.steps == steps
        return Settings(state, "settings").get("a", None)

    assert on(disk, session) == 1


def test_settings_that_find_no_room_hold_and_are_saved_later():
    disk = Disk()
    disk.error = OSError
    disk.budget = 20

    def session(state):
        log = state._log = Lines()
        settings = Settings(state, "settings")
        settings.put("a", "a value that is too long for it")
        for _ in range(600):
            settings.save_if_changed()
        assert log.lines == ["settings cannot be saved: %s" % OSError(ENOSPC)], "told once"
        assert settings.get("a", None)
        disk.budget = None
        settings.save_if_changed()
        assert disk.files == {}, "not yet"
        settings.save_if_changed()
        return Settings(state, "settings").get("a", None)

    assert on(disk, session) == "a value that is too long for it"
