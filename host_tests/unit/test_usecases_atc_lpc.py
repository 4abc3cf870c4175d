"""The abstract test cases of LPC that target the controllable system, by their ids.

Not applicable: COM_PT_CSUnlCntrl_002 and INS1_PT_CSTransition1_001 (energy managers only),
INS2_PT_CSTransition1_001 (this station has no reason of its own to refuse a limit).
"""

import power_limit_cases as cases
from power_limit_cases import LPC


def test_atc_lpc_com_pt_csheartbeat_001_five_own_heartbeats_at_most_60_s_apart():
    """ATC_LPC_COM_PT_CSHeartbeat_001"""
    cases.csheartbeat_001(LPC)


def test_atc_lpc_com_nt_csconnection_001_a_limit_before_any_heartbeat_is_refused():
    """ATC_LPC_COM_NT_CSConnection_001"""
    cases.csconnection_001(LPC)


def test_atc_lpc_com_pt_csconnection_002_the_failsafe_limit_opens_with_heartbeat_and_limit():
    """ATC_LPC_COM_PT_CSConnection_002"""
    cases.csconnection_002(LPC)


def test_atc_lpc_com_pt_csconnection_003_wrong_signs_are_refused():
    """ATC_LPC_COM_PT_CSConnection_003"""
    cases.csconnection_003(LPC)


def test_atc_lpc_com_pt_csconnection_004_the_failsafe_duration_opens_with_heartbeat_and_limit():
    """ATC_LPC_COM_PT_CSConnection_004"""
    cases.csconnection_004(LPC)


def test_atc_lpc_com_pt_csconnection_005_too_long_a_failsafe_duration_sets_the_longest():
    """ATC_LPC_COM_PT_CSConnection_005"""
    cases.csconnection_005(LPC)


def test_atc_lpc_com_pt_csconnection_006_too_large_a_limit_is_stored_as_the_largest():
    """ATC_LPC_COM_PT_CSConnection_006"""
    cases.csconnection_006(LPC)


def test_atc_lpc_com_pt_csconnection_007_every_value_is_accepted_and_read_back():
    """ATC_LPC_COM_PT_CSConnection_007"""
    cases.csconnection_007(LPC)


def test_atc_lpc_com_pt_csconnection_008_every_failsafe_value_is_accepted_and_read_back():
    """ATC_LPC_COM_PT_CSConnection_008"""
    cases.csconnection_008(LPC)


def test_atc_lpc_com_pt_csconnection_009_black_start_leads_back_to_control():
    """ATC_LPC_COM_PT_CSConnection_009"""
    cases.csconnection_009(LPC)


def test_atc_lpc_com_pt_csinit_001_after_factory_reset_the_factory_failsafe_limit_holds():
    """ATC_LPC_COM_PT_CSInit_001"""
    cases.csinit_001(LPC)


def test_atc_lpc_com_pt_csinit_002_factory_values_are_readable():
    """ATC_LPC_COM_PT_CSInit_002"""
    cases.csinit_002(LPC)


def test_atc_lpc_com_pt_csinit_003_written_failsafe_values_survive_a_reboot():
    """ATC_LPC_COM_PT_CSInit_003"""
    cases.csinit_003(LPC)


def test_atc_lpc_com_nt_cslimited_001_a_wrong_sign_changes_nothing_while_limited():
    """ATC_LPC_COM_NT_CSLimited_001"""
    cases.cslimited_001(LPC)


def test_atc_lpc_com_pt_cslimited_002_90_s_of_silence_do_not_end_control():
    """ATC_LPC_COM_PT_CSLimited_002"""
    cases.cslimited_002(LPC)


def test_atc_lpc_com_nt_csunlcntrl_001_a_wrong_sign_changes_nothing_while_controlled():
    """ATC_LPC_COM_NT_CSUnlCntrl_001"""
    cases.csunlcntrl_001(LPC)


def test_atc_lpc_com_pt_csunlcntrl_003_the_nominal_maximum_is_there_and_no_contractual_one():
    """ATC_LPC_COM_PT_CSUnlCntrl_003"""
    cases.csunlcntrl_003(LPC)


def test_atc_lpc_com_pt_csfs_001_in_failsafe_a_stale_heartbeat_opens_nothing():
    """ATC_LPC_COM_PT_CSFS_001"""
    cases.csfs_001(LPC)


def test_atc_lpc_com_pt_csfs_002_failsafe_lasts_at_least_its_duration():
    """ATC_LPC_COM_PT_CSFS_002"""
    cases.csfs_002(LPC)


def test_atc_lpc_com_pt_csfs_003_the_failsafe_duration_is_locked_in_failsafe():
    """ATC_LPC_COM_PT_CSFS_003"""
    cases.csfs_003(LPC)


def test_atc_lpc_com_nt_csunlauto_001_autonomy_ends_with_heartbeat_and_limit_only():
    """ATC_LPC_COM_NT_CSUnlAuto_001"""
    cases.csunlauto_001(LPC)


def test_atc_lpc_com_pt_csunlauto_002_in_autonomy_nothing_is_limited():
    """ATC_LPC_COM_PT_CSUnlAuto_002"""
    cases.csunlauto_002(LPC)


def test_atc_lpc_com_pt_cstransition1_001_a_limit_that_cannot_be_applied_takes_control():
    """ATC_LPC_COM_PT_CSTransition1_001"""
    cases.cstransition1_001(LPC)


def test_atc_lpc_com_pt_cstransition1_002_a_deactivated_limit_takes_control():
    """ATC_LPC_COM_PT_CSTransition1_002"""
    cases.cstransition1_002(LPC)


def test_atc_lpc_com_pt_cstransition2_001_an_activated_limit_from_init():
    """ATC_LPC_COM_PT_CSTransition2_001"""
    cases.cstransition2_001(LPC)


def test_atc_lpc_com_pt_cstransition3_001_nobody_for_130_s():
    """ATC_LPC_COM_PT_CSTransition3_001"""
    cases.cstransition3_001(LPC)


def test_atc_lpc_com_pt_cstransition3_002_heartbeats_without_a_limit_for_130_s():
    """ATC_LPC_COM_PT_CSTransition3_002"""
    cases.cstransition3_002(LPC)


def test_atc_lpc_com_pt_cstransition4_001_an_activated_limit_while_controlled():
    """ATC_LPC_COM_PT_CSTransition4_001"""
    cases.cstransition4_001(LPC)


def test_atc_lpc_com_pt_cstransition5_001_silence_leads_to_failsafe_within_130_s():
    """ATC_LPC_COM_PT_CSTransition5_001"""
    cases.cstransition5_001(LPC)


def test_atc_lpc_com_pt_cstransition6_001_the_duration_ends_the_limit():
    """ATC_LPC_COM_PT_CSTransition6_001"""
    cases.cstransition6_001(LPC)


def test_atc_lpc_com_pt_cstransition6_002_deactivation_ends_the_limit():
    """ATC_LPC_COM_PT_CSTransition6_002"""
    cases.cstransition6_002(LPC)


def test_atc_lpc_com_pt_cstransition7_001_silence_leads_to_the_new_failsafe_limit():
    """ATC_LPC_COM_PT_CSTransition7_001"""
    cases.cstransition7_001(LPC)


def test_atc_lpc_com_pt_cstransition8_001_a_limit_that_cannot_be_applied_ends_failsafe():
    """ATC_LPC_COM_PT_CSTransition8_001"""
    cases.cstransition8_001(LPC)


def test_atc_lpc_com_pt_cstransition8_002_a_deactivated_limit_ends_failsafe():
    """ATC_LPC_COM_PT_CSTransition8_002"""
    cases.cstransition8_002(LPC)


def test_atc_lpc_com_pt_cstransition9_001_an_activated_limit_ends_failsafe():
    """ATC_LPC_COM_PT_CSTransition9_001"""
    cases.cstransition9_001(LPC)


def test_atc_lpc_com_pt_cstransition10_001_failsafe_ends_after_its_duration():
    """ATC_LPC_COM_PT_CSTransition10_001"""
    cases.cstransition10_001(LPC)


def test_atc_lpc_com_pt_cstransition10_002_heartbeats_without_a_limit_end_failsafe():
    """ATC_LPC_COM_PT_CSTransition10_002"""
    cases.cstransition10_002(LPC)


def test_atc_lpc_com_pt_cstransition11_001_a_limit_that_cannot_be_applied_ends_autonomy():
    """ATC_LPC_COM_PT_CSTransition11_001"""
    cases.cstransition11_001(LPC)


def test_atc_lpc_com_pt_cstransition11_002_a_deactivated_limit_ends_autonomy():
    """ATC_LPC_COM_PT_CSTransition11_002"""
    cases.cstransition11_002(LPC)


def test_atc_lpc_com_pt_cstransition12_001_an_activated_limit_ends_autonomy():
    """ATC_LPC_COM_PT_CSTransition12_001"""
    cases.cstransition12_001(LPC)
