"""Recordings of SPINE traffic: finding the datagrams in logs, and checking them."""
