"""The recorder: it polls the exchange at exact slots and stores the replies."""
