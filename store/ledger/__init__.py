"""What should be in the file: the slots that were due, the gaps among them, and how gaps heal."""
