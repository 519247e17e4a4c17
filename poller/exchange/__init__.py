"""The exchange client: it asks Deribit's public methods and returns records."""
