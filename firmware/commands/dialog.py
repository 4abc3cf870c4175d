"""How commands talk with the user: questions, and keys that end something."""

import asyncio
import sys

from firmware.console import readable

_YES = ("y", "yes")


class Stopped(ValueError):
    """The user has had enough (Ctrl-C)."""


async def ask(console, prompt, is_secret=False):
    """Return the answer to a question, without blanks around it; a secret is not shown.

    Of several lines the last one is the prompt. Raises Stopped if the user gives up, ValueError
    for scripts.
    """
    if console.is_json:
        raise ValueError("this asks questions; scripts give all words on the line, see help")
    lines = prompt.split("\n")
    if console.is_script:
        lines.append("")
    for line in lines[:-1]:
        sys.stdout.write(line + "\n")
    prompt = lines[-1]
    line = await console.line(prompt, is_secret)
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
