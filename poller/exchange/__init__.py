"""The exchange client: asks Deribit's public methods and returns records."""
