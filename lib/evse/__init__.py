"""IEC 61851-1 charging control: pilot, limits, metering, faults and the state machine."""
