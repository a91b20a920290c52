"""Amplitude's HTTP V2 and Batch APIs as facts: fields, limits, ids, endpoints, checks, and what answers mean.

Everything here is pure: no thread, socket, file or clock, and no state. "Reference" in this package is
the description of the API that the project keeps beside its design.
"""
