"""State on the file system: atomic writes, a checksum, and the generation before.

A file is replaced by renaming a complete new one over it; the old one stays as `.bak` and is used
when the newer is unreadable. A cut at any moment leaves at least one good generation. On ports
with file permissions only the owner can read the files (firmware.port).

`Settings` is a small dictionary on top, for values that outlive a restart.
"""

import hashlib
import json
import os

from micropython import const

_MAGIC = b"PW1\n"
_CHECKSUM = const(8)


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

    def has(self, name):
        """Whether there is a generation of `name`, readable or not."""
        return _exists(self._path(name)) or _exists(self._path(name) + ".bak")

    def save(self, name, data):
        """Replace `name` by `data` (bytes), unless it is the same: no need to wear the flash."""
        path = self._path(name)
        if _read(path) == data:
            return
        with open(path + ".new", "wb") as file:
            file.write(_MAGIC)
            file.write(_checksum(data))
            file.write(data)
            file.flush()
        if _exists(path):
            os.rename(path, path + ".bak")
        os.rename(path + ".new", path)

    def remove(self, name):
        """Delete one blob in all generations."""
        for path in (self._path(name), self._path(name) + ".bak"):
            if _exists(path):
                os.remove(path)

    def _path(self, name):
        return self.folder + "/" + name


class Settings:
    """A dictionary kept in storage. `put` only marks; `save_if_changed` writes."""

    def __init__(self, storage, name):
        self._storage = storage
        self._name = name
        self._changed = False
        text = storage.load(name)
        try:
            self._values = json.loads(text) if text else {}
        except ValueError:
            self._values = {}

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
        """Write the file if a value changed. Call it outside the control path: flash is slow."""
        if self._changed:
            self._storage.save(self._name, json.dumps(self._values).encode())
            self._changed = False


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


def _make_folder(path):
    parent = ""
    for part in path.split("/"):
        parent += part
        if part and not _exists(parent):
            os.mkdir(parent)
        parent += "/"
