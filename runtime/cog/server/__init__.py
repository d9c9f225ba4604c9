"""How platforms start a model's server."""
