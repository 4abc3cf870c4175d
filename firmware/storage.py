"""State on the file system: atomic writes, a checksum, and the generation before.

A file is replaced by renaming a complete new one over it; the old one stays as `.bak` and is used
when the newer is unreadable. A cut at any moment leaves at least one good generation, and so does
a full file system. On ports with file permissions only the owner can read the files
(firmware.port).

Values that JSON can carry have a schema, numbered from 1. Schema 1 of `peers` is in the file
`peers`, schema 2 in `peers.2`: what is read from an older one is migrated and saved as the newest,
and the older file stays, so that older firmware, if it must come back, finds what it knows. If it
writes, the newer files are removed, since they are no longer the latest.

`Settings` is a small dictionary on top, for values that outlive a restart.
"""

import hashlib
import json
import os

from micropython import const

_MAGIC = b"PW1\n"
_CHECKSUM = const(8)
_RETRY_CALLS = const(600)  # of `save_if_changed`, after one that failed: a minute of the timers


class Storage:
    """Named blobs in one folder, which is created if it is missing. Raises OSError."""

    def __init__(self, folder, log):
        self.folder = folder
        self._log = log
        _make_folder(folder)

    def load(self, name):
        """The newest readable generation of `name`, or None."""
        for path in (self._path(name), self._path(name) + ".bak"):
            data = _read(path)
            if data is not None:
                return data
            if _exists(path):
                self._log.error("%s is damaged" % path)
        return None

    def failed(self, name, error):
        """Tell that something could not be saved."""
        self._log.error("%s cannot be saved: %s" % (name, error))

    def has(self, name):
        """Whether there is a generation of `name`, readable or not."""
        return _exists(self._path(name)) or _exists(self._path(name) + ".bak")

    def save(self, name, data):
        """Replace `name` by `data` (bytes), unless it is the same: no need to wear the flash."""
        path = self._path(name)
        old = _read(path)
        if old == data:
            return
        try:
            with open(path + ".new", "wb") as file:
                file.write(_MAGIC)
                file.write(_checksum(data))
                file.write(data)
                file.flush()
            if old is not None:  # or a damaged file would replace the good one before it
                os.rename(path, path + ".bak")
            os.rename(path + ".new", path)
        except OSError:
            _remove(path + ".new")  # half a file takes room that others need
            raise

    def load_value(self, name, migrations=()):
        """The value `save_value` wrote, in the newest schema, or None.

        `migrations[n]` makes a value of schema n + 2 from one of schema n + 1.
        """
        for schema in range(len(migrations) + 1, 0, -1):
            text = self.load(_in_schema(name, schema))
            if text is not None:
                try:
                    value = json.loads(text)
                except ValueError:
                    continue
                for migrate in migrations[schema - 1 :]:
                    value = migrate(value)
                return value
        return None

    def save_value(self, name, value, schema=1):
        """Replace what is stored under `name`."""
        self.save_latest(_in_schema(name, schema), json.dumps(value).encode())

    def save_latest(self, file, data):
        """Replace the file of one schema, as `newest` names it; newer ones are no longer valid."""
        self.save(file, data)
        name, _, schema = file.partition(".")
        for newer in self._schemas(name):
            if newer > int(schema or 1):
                self._remove(_in_schema(name, newer))

    def newest(self, name):
        """The name of the file in the newest schema."""
        return _in_schema(name, self._schemas(name)[-1])

    def remove(self, name):
        """Delete one blob in all generations and schemas; a cut leaves all of it or nothing."""
        for schema in self._schemas(name):
            self._remove(_in_schema(name, schema))

    def _remove(self, name):
        # The older first: whatever is left at a cut must not be older than what was there.
        for suffix in (".new", ".bak", ""):
            _remove(self._path(name) + suffix)

    def _schemas(self, name):
        """The numbers of the schemas in which there may be files of `name`, ascending."""
        found = {1}
        for file in os.listdir(self.folder):
            words = file.split(".")
            if words[0] == name and len(words) > 1 and words[1].isdigit():
                found.add(int(words[1]))
        return sorted(found)

    def _path(self, name):
        return self.folder + "/" + name


class Settings:
    """A dictionary kept in storage. `put` only marks; `save_if_changed` writes."""

    def __init__(self, storage, name):
        self._storage = storage
        self._name = name
        self._changed = False
        self._wait = 0  # calls of `save_if_changed` that do nothing
        self._values = storage.load_value(name) or {}

    def get(self, key, default):
        """The value of `key`, or `default`."""
        return self._values.get(key, default)

    def put(self, key, value):
        """Set a value; JSON must be able to carry it."""
        if self._values.get(key) != value:
            self._values[key] = value
            self._changed = True

    def clear(self):
        """Forget everything and write nothing more."""
        self._values = {}
        self._changed = False

    def save_if_changed(self):
        """Write the file if a value changed. Call it outside the control path: flash is slow.

        If that fails it is tried again later; the values hold all the same.
        """
        if self._wait:
            self._wait -= 1
        elif self._changed:
            try:
                self._storage.save_value(self._name, self._values)
                self._changed = False
            except OSError as error:
                self._storage.failed(self._name, error)
                self._wait = _RETRY_CALLS


def _checksum(data):
    return hashlib.sha256(data).digest()[:_CHECKSUM]


def _read(path):
    """The content of a state file, or None if it is missing or damaged."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return None
    data = text[len(_MAGIC) + _CHECKSUM :]
    good = text[: len(_MAGIC)] == _MAGIC
    if good and text[len(_MAGIC) : len(_MAGIC) + _CHECKSUM] == _checksum(data):
        return data
    return None


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _in_schema(name, schema):
    return name if schema == 1 else "%s.%d" % (name, schema)


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it is not there


def _make_folder(path):
    parent = ""
    for part in path.split("/"):
        parent += part
        if part and not _exists(parent):
            os.mkdir(parent)
        parent += "/"
