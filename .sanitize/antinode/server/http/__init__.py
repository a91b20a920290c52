"""The local Amplitude as a web application."""
