"""The commands `ev` and `station`: the simulated car and station of boards/sim."""


def run(console, name, words):
    """Carry out plug, unplug or set; return all options of the car, or of the station."""
    board = console.node.board
    ev = getattr(board, "ev", None)
    if ev is None:
        raise ValueError("this board has a real car, not a simulated one")
    if name == "station":
        return _station(board.world, words)
    if words:
        try:
            _change(ev, words[0], words[1:])
        except TypeError as error:  # an option that `plug` does not have
            raise ValueError(str(error))
    result = {name: getattr(ev, name) for name in ev.options()}
    result["plugged"] = ev.is_plugged
    result["soc_permille"] = ev.soc_permille
    return result


def _station(world, words):
    if words:
        if len(words) != 3 or words[0] != "set":
            raise ValueError("station, or station set OPTION VALUE")
        world.set(words[1], int(words[2]))
    return {name: getattr(world, name) for name in world.options()}


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
