"""What several tests share: small packages made on the spot, real servers, containers."""
