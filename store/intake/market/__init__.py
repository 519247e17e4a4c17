"""The rows of a market in a file that an export wrote: recognised, checked as a whole, stored, and taken back."""
