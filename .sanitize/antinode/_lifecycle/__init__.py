"""The process around the client: fork, exit, signals, serverless."""
