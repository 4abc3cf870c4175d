"""Error numbers of `resultData` (IEC 63380-3 5.3.2, RS 3.11), and an exception carrying one."""

from micropython import const

NO_ERROR = const(0)
GENERAL_ERROR = const(1)
TIMEOUT = const(2)
OVERLOAD = const(3)
DESTINATION_UNKNOWN = const(4)
DESTINATION_UNREACHABLE = const(5)
COMMAND_NOT_SUPPORTED = const(6)
COMMAND_REJECTED = const(7)
RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED = const(8)
BINDING_REQUIRED = const(9)


class SpineError(Exception):
    """The peer's request cannot be carried out; it is answered with `number` and `description`."""

    def __init__(self, number, description):
        super().__init__(number, description)
        self.number = number
        self.description = description
