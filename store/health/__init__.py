"""How recording fares: status, vitals, figures and metrics."""
