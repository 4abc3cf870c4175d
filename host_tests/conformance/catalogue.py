"""The official test cases: what the test specifications contain, and what of it is not for us.

A case that nobody has written shows as missing in the report. Another protocol adds its ids here
and its tests to unit/.
"""

# group → number of cases
CASES = {
    # SPINE test specification 1.0.0
    "TC_SPINE_COMP": 6,
    "TC_SPINE_DATA": 8,
    "TC_SPINE_FC": 1,
    "TC_SPINE_DDISC": 2,
    "TC_SPINE_BIND": 2,
    "TC_SPINE_SUBS": 2,
    "TC_SPINE_ENTITY": 2,
    "TC_SPINE_RTS": 5,
    "TC_SPINE_RTC": 3,
    # SHIP test specification 1.0.0
    "TC_SHIP_MDNS": 1,
    "TC_SHIP_CONN": 1,
    "TC_SHIP_ROLE": 3,
    "TC_SHIP_SEC": 2,
    "TC_SHIP_MSG": 3,
    "TC_SHIP_CMI": 6,
    "TC_SHIP_HELLO": 4,
    "TC_SHIP_PROT": 6,
    "TC_SHIP_PIN": 1,
    "TC_SHIP_TERM": 1,
    "TC_SHIP_AM": 1,
    "TC_SHIP_AMDATA": 4,
}
# High-level test specification 1.0.2 of LPC and LPP (controllable system) and MPC (monitored unit)
POWER_LIMIT = """
    COM_PT_CSHeartbeat_001
    COM_NT_CSConnection_001 COM_PT_CSConnection_002 COM_PT_CSConnection_003
    COM_PT_CSConnection_004 COM_PT_CSConnection_005 COM_PT_CSConnection_006
    COM_PT_CSConnection_007 COM_PT_CSConnection_008 COM_PT_CSConnection_009
    COM_PT_CSInit_001 COM_PT_CSInit_002 COM_PT_CSInit_003
    COM_NT_CSLimited_001 COM_PT_CSLimited_002
    COM_NT_CSUnlCntrl_001 COM_PT_CSUnlCntrl_002 COM_PT_CSUnlCntrl_003
    COM_PT_CSFS_001 COM_PT_CSFS_002 COM_PT_CSFS_003
    COM_NT_CSUnlAuto_001 COM_PT_CSUnlAuto_002
    COM_PT_CSTransition1_001 COM_PT_CSTransition1_002 COM_PT_CSTransition2_001
    COM_PT_CSTransition3_001 COM_PT_CSTransition3_002 COM_PT_CSTransition4_001
    COM_PT_CSTransition5_001 COM_PT_CSTransition6_001 COM_PT_CSTransition6_002
    COM_PT_CSTransition7_001 COM_PT_CSTransition8_001 COM_PT_CSTransition8_002
    COM_PT_CSTransition9_001 COM_PT_CSTransition10_001 COM_PT_CSTransition10_002
    COM_PT_CSTransition11_001 COM_PT_CSTransition11_002 COM_PT_CSTransition12_001
    INS1_PT_CSTransition1_001 INS2_PT_CSTransition1_001"""
USE_CASES = {
    "ATC_LPC": POWER_LIMIT,
    "ATC_LPP": POWER_LIMIT,
    "ATC_MPC": """
    COM_PT_MUPolling_001 COM_PT_MUNotification_001
    SCE1_PT_MUTotalActivePower_001 SCE1_PT_MUPhaseActivePower_001
    SCE1_PT_MUPhaseActivePower_002 SCE1_PT_MUPhaseActivePower_003
    SCE2_PT_MUTotalConsumedEnergy_001 SCE2_PT_MUTotalConsumedEnergy_002
    SCE2_PT_MUTotalProducedEnergy_001 SCE2_PT_MUTotalProducedEnergy_002
    SCE3_PT_MUActiveACCurrent_001 SCE3_PT_MUActiveACCurrent_002 SCE3_PT_MUActiveACCurrent_003
    SCE4_PT_MUACVoltage_001 SCE4_PT_MUACVoltage_002 SCE4_PT_MUACVoltage_003
    SCE4_PT_MUACVoltage_004 SCE4_PT_MUACVoltage_005 SCE4_PT_MUACVoltage_006
    SCE5_PT_MUFrequency_001""",
}
_FOR_GUARDS = "for energy guards; a charging station is a controllable system"
_FOR_ENERGY_MANAGERS = "for energy managers; a charging station is none"
_NO_REASON = "for systems with a reason of their own to refuse a limit; this one has none"
# id → (title, why not)
NOT_APPLICABLE = {
    "TC_SPINE_ENTITY_001": ("partner of an energy guard returns at another address", _FOR_GUARDS),
    "TC_SPINE_RTC_001": ("limit description with an additional known element", _FOR_GUARDS),
    "TC_SPINE_RTC_002": ("limit description with an unknown element", _FOR_GUARDS),
    "TC_SPINE_RTC_003": ("useCaseAvailable of a server actor is ignored", _FOR_GUARDS),
}
NOT_APPLICABLE["TC_SHIP_AMDATA_004"] = (
    "device that never asks for access methods",
    "for devices that never ask; we do (PAR_queryAccessMethods)",
)
for _number in (4, 5, 6):
    NOT_APPLICABLE[f"ATC_MPC_SCE4_PT_MUACVoltage_00{_number}"] = (
        "voltage between two phases",
        "for units that publish it",
    )
for _group in ("ATC_LPC", "ATC_LPP"):
    NOT_APPLICABLE[_group + "_COM_PT_CSUnlCntrl_002"] = (
        "the contractual nominal maximum is published",
        _FOR_ENERGY_MANAGERS,
    )
    NOT_APPLICABLE[_group + "_INS1_PT_CSTransition1_001"] = (
        "a valid limit is refused as an energy manager may",
        _FOR_ENERGY_MANAGERS,
    )
    NOT_APPLICABLE[_group + "_INS2_PT_CSTransition1_001"] = (
        "a valid limit is refused for a permitted reason",
        _NO_REASON,
    )


def expected() -> list[str]:
    """All ids of the test specifications."""
    counted = [f"{group}_{n:03}" for group, count in CASES.items() for n in range(1, count + 1)]
    named = [f"{group}_{name}" for group, names in USE_CASES.items() for name in names.split()]
    return counted + named
