"""`flush` as a barrier, under random forks, callbacks, transports and cut connections."""
