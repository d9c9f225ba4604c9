"""What maintainer scripts do to a new system, found out by reading them."""
