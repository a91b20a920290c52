"""The relay beyond one machine: its events wait in Kafka, whose topics any number of workers deliver from."""
