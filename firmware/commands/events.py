"""The command `log`: what happened lately, with times.

The ring of firmware.log has seconds since the start. People get the time of day where it is known.
"""

import time


def run(console, name, words):
    """`log [WORD]`: all lines, or those with a word in them."""
    node = console.node
    lines = node.log.lines()
    if words:
        wanted = " ".join(words).lower()
        lines = [line for line in lines if wanted in line.lower()]
    if not lines:
        return {"text": "nothing with this word in it; see log", "lines": []}
    return {"text": "\n".join([_with_time(node, line) for line in lines]), "lines": lines}


def _with_time(node, line):
    stamp, _, text = line.partition(" ")
    if node.wall.timestamp() is None or "." not in stamp:
        return line
    then_ms = int(stamp.replace(".", ""))
    age_s = node.clock.real_ms(node.clock.now_ms() - then_ms) // 1000
    _, month, day, hour, minute, second = time.gmtime(time.time() - age_s)[:6]
    return "%02d-%02d %02d:%02d:%02dZ %s" % (month, day, hour, minute, second, text)
