"""What can go wrong, done to real recorders: nothing acknowledged may be lost, nothing invented, all else explained.

`python -m tests.faults` does each of it many times and prints a table; the tests do each once.
"""
