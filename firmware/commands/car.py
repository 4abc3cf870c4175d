"""The command `ev`: the simulated car of boards/sim."""


def run(console, name, words):
    """Carry out plug, unplug or set; return all options of the car."""
    ev = getattr(console.node.board, "ev", None)
    if ev is None:
        raise ValueError("this board has a real car, not a simulated one")
    if words:
        try:
            _change(ev, words[0], words[1:])
        except TypeError as error:  # an option that `plug` does not have
            raise ValueError(str(error))
    result = {name: getattr(ev, name) for name in ev.options()}
    result["plugged"] = ev.is_plugged
    result["soc_permille"] = ev.soc_permille
    return result


def _change(ev, verb, arguments):
    if verb == "plug":
        options = {}
        for argument in arguments:
            name, _, value = argument.partition("=")
            options[name] = int(value)
        ev.plug(**options)
    elif verb == "unplug":
        ev.unplug()
    elif verb == "set" and len(arguments) == 2:
        ev.set(arguments[0], int(arguments[1]))
    else:
        raise ValueError("ev plug [phases=3 max_ma=16000 soc_percent=40], unplug, set NAME VALUE")
