"""How this machine reaches others: HTTP clients, proxies and certificates."""
