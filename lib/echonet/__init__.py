"""ECHONET Lite node (IEC 63380-3 clause 7): frames, objects from generated tables, the charger."""
