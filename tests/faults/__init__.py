"""Faults, injected into real recorders: no acknowledged tick may be lost or invented, and each empty slot is explained.

`python -m tests.faults` injects each fault many times and prints a table; the tests inject each once.
"""
