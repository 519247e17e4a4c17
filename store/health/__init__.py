"""How the recording goes: status, vitals, figures and metrics."""
