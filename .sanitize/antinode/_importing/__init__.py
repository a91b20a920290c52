"""The importer: rows of files become events, which leave through the delivery core."""
