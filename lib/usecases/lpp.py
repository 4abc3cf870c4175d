"""LPP - Limitation of Power Production, controllable system, scenarios 1-4 (version 1.0.0).

Only for stations whose car can feed power back. The same machine as LPC, running for itself beside
it on the same features: another limit, key and characteristic. The limit is 0 or negative on the
wire (passive sign convention, LPP-001), its failsafe value is not (LPP-010), and the failsafe
duration is one value for both.
"""

from usecases.lpc import Lpc


class Lpp(Lpc):
    """`cap_w()` is the most that may flow back into the grid, W, or None."""

    name = "limitationOfPowerProduction"
    number = 2
    failsafe_key = 3
    sign = -1
    direction = "produce"
    failsafe_name = "failsafeProductionActivePowerLimit"
    nominal_name = "powerProductionNominalMax"
    default_failsafe_w = 0
    set_enabled = "lpp_enabled"
    set_limit = "failsafe_production_w"
