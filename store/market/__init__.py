"""The market of options and futures: the names of its instruments, and the formulas on their prices."""
