"""Rows out of files, one format a module."""
