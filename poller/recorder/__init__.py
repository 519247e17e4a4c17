"""The recorder: polls the exchange at exact slots and keeps what comes."""
