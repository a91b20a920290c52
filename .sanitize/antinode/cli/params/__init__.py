"""What commands read from their command line."""
