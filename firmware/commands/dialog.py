"""How commands talk with the user: questions, and keys that end something."""

import asyncio
import sys

from firmware.console import readable
from firmware.log import plain

_YES = ("y", "yes")


def say(text):
    """Print lines of text; what came from others cannot move the cursor."""
    for line in text.split("\n"):
        sys.stdout.write(plain(line) + "\n")


class Stopped(ValueError):
    """The user has had enough (Ctrl-C)."""


async def ask(console, prompt, is_secret=False):
    """Return the answer to a question, without blanks around it; a secret is not shown.

    Of several lines the last one is the prompt. Raises Stopped if the user gives up, ValueError
    for scripts.
    """
    if console.is_json:
        raise ValueError("this asks questions; scripts give all words on the line, see help")
    above, _, prompt = prompt.rpartition("\n")
    if console.is_script:
        above, prompt = (above + "\n" + prompt).strip(), ""
    if above:
        say(above)
    line = await console.line(plain(prompt), is_secret)
    if line == "\x03":
        raise Stopped("stopped; what was done before stays")
    return line.strip()


async def agrees(console, question):
    """Whether the user says yes; anything else is no."""
    return (await ask(console, question)).lower() in _YES


async def key(console, wait_ms):
    """Whether a key was pressed within this time; it is taken. Scripts press none."""
    if console.is_script:
        await asyncio.sleep_ms(wait_ms)
        return False
    try:
        await asyncio.wait_for_ms(readable(), wait_ms)
    except asyncio.TimeoutError:
        return False
    console.read()
    return True
