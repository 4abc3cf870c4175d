"""Find or fetch MicroPython's Unix port, 64-bit and 32-bit, without installing anything.

A `micropython` on PATH that is new enough, has the right word size and the modules the firmware
needs is used as it is. Otherwise Debian's package and the libraries it needs are taken from the
mirrors this machine already uses and unpacked into a private folder (`.micropython/`):

    .micropython/bin/micropython64    a small script; runs the next with its own C library
    .micropython/amd64/usr/...        what the packages contain

Neither root nor a foreign architecture known to dpkg is needed: apt works on state, cache and
source list of its own. The folder can be moved; what is there already is not fetched again.
Standard library only, because this runs before `.venv` exists.

    python3 tools/micropython.py setup
    python3 tools/micropython.py path 32
"""

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".micropython"

OLDEST = (1, 25)
SUITES = ("trixie", "stable", "testing", "sid")  # in this order; the first that works is taken

_SOURCES = Path("/etc/apt")
# An entry with one of these suites names a Debian mirror, whatever its address looks like.
_DEBIAN_SUITES = {
    *("bullseye", "bookworm", "trixie", "forky", "duke"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable", "sid"),
}
_ARCHITECTURES = {  # native architecture of dpkg -> word size -> architecture to run
    "amd64": {64: "amd64", 32: "i386"},
    "arm64": {64: "arm64", 32: "armhf"},
}
# What the firmware, the simulated board and ROMFS images need of the interpreter.
_PROBE = """
import sys, asyncio, ffi, hashlib, json, tls, uctypes, vfs
vfs.VfsRom
print(sys.implementation.name, sys.implementation.version[0], sys.implementation.version[1],
      64 if sys.maxsize > 1 << 32 else 32)
"""

_WRAPPER = """\
#!/bin/sh
# MicroPython for {architecture}, run with the libraries it was built with.
root=$(dirname "$(readlink -f "$0")")/../{architecture}
exec "$root/{loader}" --library-path "$root/{libraries}" "$root/usr/bin/micropython" "$@"
"""


class SetupError(Exception):
    """MicroPython cannot be had here; the text says why and what the user can do."""


def micropython_path(bits: int, folder: Path = FOLDER) -> Path:
    """Return the path of a MicroPython with `bits` (64 or 32); fetch it if it is not there yet.

    Raises SetupError.
    """
    program = folder / "bin" / f"micropython{bits}"
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second set-up waits and finds the work done
        if not program.exists():
            program.unlink(missing_ok=True)  # a link to a program that has gone
            found = _on_path(bits)
            if found:
                program.symlink_to(found)
            else:
                _fetch(bits, folder, program)
    return program


def version(program: Path) -> "tuple[int, int, int] | None":
    """Return (major, minor, word size) of a MicroPython that suits us, None of anything else."""
    try:
        done = subprocess.run(
            [program, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=True
        )
        name, major, minor, bits = done.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if name != "micropython" or (int(major), int(minor)) < OLDEST:
        return None
    return int(major), int(minor), int(bits)


def _on_path(bits: int) -> "str | None":
    for name in ("micropython", f"micropython{bits}"):
        found = shutil.which(name)
        suits = found and version(Path(found))
        if suits and suits[2] == bits:
            return os.path.abspath(found)
    return None


def _put_on_path(bits: int) -> str:
    """Return what a user can always do."""
    return f"put a `micropython` >= {OLDEST[0]}.{OLDEST[1]} ({bits}-bit) on PATH"


# --- fetching from Debian ---


def _fetch(bits: int, folder: Path, program: Path) -> None:
    architecture = _architecture(bits)
    mirrors = debian_mirrors()
    if not mirrors:
        raise SetupError(
            f"no Debian mirror in {_SOURCES}/sources.list and sources.list.d: add one, or "
            + _put_on_path(bits)
        )
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as name:
        work = Path(name)
        _unpack(_download(work, architecture, mirrors, bits), work / architecture)
        # Rehearse in the temporary folder; what fails there leaves no trace.
        (work / "bin").mkdir()
        rehearsal = work / "bin" / program.name
        rehearsal.write_text(_wrapper(work / architecture, architecture))
        rehearsal.chmod(0o755)
        if (version(rehearsal) or (0, 0, 0))[2] != bits:
            raise SetupError(
                f"Debian's micropython for {architecture} does not run on this machine: "
                f"enable {bits}-bit programs in the kernel, or {_put_on_path(bits)}"
            )
        shutil.rmtree(folder / architecture, ignore_errors=True)
        (work / architecture).rename(folder / architecture)
        rehearsal.rename(program)  # last, because it stands for "ready"


def _architecture(bits: int) -> str:
    for tool in ("apt-get", "dpkg", "dpkg-deb"):
        if not shutil.which(tool):
            raise SetupError(f"no {tool} here (not Debian?): {_put_on_path(bits)}")
    native = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        return _ARCHITECTURES.get(native, {64: native})[bits]
    except KeyError:
        raise SetupError(
            f"no {bits}-bit architecture known beside {native}: {_put_on_path(bits)}"
        ) from None


def _download(work: Path, architecture: str, mirrors: "list[tuple]", bits: int) -> "list[Path]":
    """Let apt download the package and its dependencies; return the files."""
    for suite in SUITES:
        for uri, signed_by in mirrors:
            _say(f"fetching micropython for {architecture} from {suite} ...")
            try:
                return _download_from(work / "apt", architecture, suite, uri, signed_by)
            except SetupError as problem:
                _say(f"{suite}: {problem}")
                shutil.rmtree(work / "apt", ignore_errors=True)
    raise SetupError(
        f"micropython for {architecture} could not be fetched from any suite: check the network "
        f"and the mirrors in {_SOURCES}, or {_put_on_path(bits)}"
    )


def _download_from(apt: Path, architecture: str, suite: str, uri: str, signed_by: str):
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "state" / "status").touch()  # nothing is installed, so all dependencies are wanted
    source = f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nTargets: Packages\n"
    source += f"Architectures: {architecture}\n" + (f"Signed-By:{signed_by}\n" * bool(signed_by))
    (apt / "debian.sources").write_text(source)
    options = {
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "state" / "status",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::sourcelist": apt / "debian.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Default-Release": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"  # `_apt` may not write into our folder
    command = ["apt-get", "-q", "-y"]
    for option, value in options.items():
        command += ["-o", f"{option}={value}"]
    _apt([*command, "update"])
    _apt([*command, "--no-install-recommends", "--download-only", "install", "micropython"])
    packages = sorted((apt / "cache" / "archives").glob("*.deb"))
    versions = [re.match(r"micropython_(\d+)\.(\d+)", package.name) for package in packages]
    if not any(match and tuple(map(int, match.groups())) >= OLDEST for match in versions):
        raise SetupError("its micropython is older than %d.%d" % OLDEST)
    return packages


def _apt(command: "list[str]") -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "Err"))]
        raise SetupError(lines[0] if lines else f"apt-get ended with {done.returncode}")


def _unpack(packages: "list[Path]", folder: Path) -> None:
    folder.mkdir()
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    for useless in ("usr/share/doc", "usr/share/man", "usr/share/lintian"):
        shutil.rmtree(folder / useless, ignore_errors=True)


def _wrapper(folder: Path, architecture: str) -> str:
    """Return the script that starts what was unpacked into `folder`."""
    loaders = sorted(folder.glob("usr/lib/*/ld-linux*.so.*"))
    if not loaders:
        raise SetupError(f"no program loader among the packages for {architecture}")
    loader = loaders[0].relative_to(folder)
    return _WRAPPER.format(architecture=architecture, loader=loader, libraries=loader.parent)


# --- the machine's own source lists ---


def debian_mirrors(folder: Path = _SOURCES) -> "list[tuple[str, str]]":
    """Return (URI, Signed-By or "") of every Debian mirror that the machine uses, no doubles.

    A Signed-By is in the form of a deb822 field's value: it may span lines.
    """
    mirrors = []
    files = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    for file in files:
        if not file.is_file():
            continue
        if file.suffix == ".sources":
            entries = _deb822_entries(file.read_text())
        elif file.suffix == ".list":
            entries = _one_line_entries(file.read_text())
        else:
            continue
        for uris, suites, components, signed_by in entries:
            if _DEBIAN_SUITES.intersection(suites) and "main" in components:
                mirrors += [(uri, signed_by) for uri in uris]
    return list(dict.fromkeys(mirrors))


def _deb822_entries(text: str):
    """Yield (URIs, suites, components, Signed-By) of each enabled binary stanza."""
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = {}
        for name, value in re.findall(r"^([\w-]+):(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE):
            fields[name.lower()] = value.rstrip()
        words = {name: value.split() for name, value in fields.items()}
        enabled = fields.get("enabled", "yes").strip().lower() not in ("no", "false", "0", "off")
        if enabled and "deb" in words.get("types", ()):
            yield (
                words.get("uris", []),
                words.get("suites", []),
                words.get("components", []),
                fields.get("signed-by", ""),
            )


def _one_line_entries(text: str):
    """Yield (URIs, suites, components, Signed-By) of each `deb` line."""
    for line in text.splitlines():
        entry = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if entry:
            options, uri, suite, components = entry.groups()
            key = re.search(r"(?:^|\s)signed-by=(\S+)", options or "", re.IGNORECASE)
            signed_by = " " + key[1].replace(",", " ") if key else ""
            yield [uri], [suite], components.split(), signed_by


# --- command line ---


def _say(text: str) -> None:
    print(f"micropython: {text}", file=sys.stderr, flush=True)


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="private folder (default: .micropython)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("setup", help="make both word sizes available")
    path = commands.add_parser("path", help="print the path of one, after making it available")
    path.add_argument("bits", type=int, choices=(64, 32))
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    try:
        if options.command == "path":
            print(micropython_path(options.bits, folder))
        else:
            for bits in (64, 32):
                print(f"MicroPython {bits}-bit: {micropython_path(bits, folder)}")
    except (SetupError, OSError, subprocess.SubprocessError) as problem:
        _say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
