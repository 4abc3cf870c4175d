"""A board at a serial port, played by MicroPython's Unix port: run by test_tools_deploy.py.

Speaks the raw REPL on stdin and stdout, which the Unix port does not have, and carries out what
it is told with the real interpreter; its flash is a folder. Arguments: that folder, and JSON:

    machine, platform, version, mpy   what it says of itself
    free_blocks                       of 4096 octets
    cut_after                         commands until the power goes
    firmware                          true: a console like ours runs until `shutdown`
"""

import io
import json
import os
import struct
import sys

import ffi
import vfs

_WINDOW = 1024  # octets of a command that may be on their way
_EXIT_RESET = 77  # the exit status when the board was told to reset


class Reset(Exception):
    pass


class Object:
    pass


def reset():
    raise Reset()


def rename_below(folder):
    """os.rename; that of VfsPosix mixes up two paths below one folder (MicroPython 1.25)."""
    libc_rename = ffi.open(None).func("i", "rename", "ss")

    def rename(old, new):
        if libc_rename(folder + old, folder + new):
            raise OSError(2)

    return rename


def play(folder, options):
    """Make `sys`, `os` and `machine` those of the board."""
    real_os, real_sys = os, sys
    modules = sys.modules
    fake = Object()
    fake.implementation = Object()
    fake.implementation.name = "micropython"
    fake.implementation.version = tuple(options.get("version", (1, 26, 0))) + ("",)
    fake.implementation._machine = options.get("machine", "Generic ESP32S3 module with ESP32S3")
    fake.implementation._mpy = options.get("mpy", real_sys.implementation._mpy)
    fake.platform = options.get("platform", "esp32")
    fake.stdout = real_sys.stdout
    modules["sys"] = fake

    files = Object()
    for name in ("ilistdir", "listdir", "mkdir", "remove", "stat"):
        setattr(files, name, getattr(real_os, name))
    files.rename = rename_below(folder)
    free = options.get("free_blocks", 500)
    files.statvfs = lambda path: (4096, 4096, 512, free, free, 0, 0, 0, 0, 255)
    modules["os"] = files

    machine = Object()
    machine.reset = reset
    machine.WDT = lambda timeout: None
    modules["machine"] = machine


def send(text):
    sys.stdout.buffer.write(text if isinstance(text, bytes) else text.encode())


def read():
    octet = sys.stdin.buffer.read(1)
    if not octet:
        sys.exit(0)
    return octet


def banner():
    send("raw REPL; CTRL-B to exit\r\n>")


def console():
    """Our console, as far as it matters: no Ctrl-C, and a line ends it."""
    line = b""
    while line != b"shutdown":
        octet = read()
        if octet in b"\r\n":
            line = b""
        elif octet >= b" ":
            line += octet
    send("goodbye\r\n>>> ")


def serve(options):
    is_raw = False
    command = b""
    names = {}
    while True:
        octet = read()
        if is_raw and command + octet == b"\x05A\x01":
            send(b"\x04" + carry_out(counted(paste(), options), names) + b"\x04>")
            command = b""
        elif octet == b"\x01":
            is_raw = True
            command = b""
            send("\r\n")
            banner()
        elif octet in b"\x02\x03":
            command = b""
            if octet == b"\x02":
                is_raw = False
        elif not is_raw:
            continue
        elif octet != b"\x04":
            command += octet
        elif not command.strip():
            names = {}
            send("OK\r\nMPY: soft reboot\r\n")
            banner()
        else:
            send("OK")
            send(b"\x04" + carry_out(counted(command, options), names) + b"\x04>")
            command = b""


def paste():
    """Take a command in raw paste mode."""
    send(b"R\x01" + struct.pack("<H", _WINDOW) + b"\x01")
    command = bytearray()
    while True:
        octet = read()
        if octet == b"\x04":
            send(b"\x04")
            return command
        command.extend(octet)
        if len(command) % _WINDOW == 0:
            send(b"\x01")


def counted(command, options):
    """The power goes before the command after the last one that is carried out."""
    left = options.get("cut_after", 1 << 30)
    if not left:
        sys.exit(1)
    options["cut_after"] = left - 1
    return command


def carry_out(command, names):
    try:
        exec(str(command, "utf-8"), names)
        return b""
    except Reset:
        sys.exit(_EXIT_RESET)
    except Exception as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue().encode()


def main(folder, options):
    vfs.umount("/")
    vfs.mount(vfs.VfsPosix(folder), "/")
    os.chdir("/")
    play(folder, options)
    if options.get("firmware"):
        console()
    send("MicroPython on a computer that plays a board\r\n>>> ")
    serve(options)


main(sys.argv[1], json.loads(sys.argv[2]))
