"""SPINE, IEC 63380-3 clause 5: data model, datagrams, node management. Knows nothing of SHIP."""
