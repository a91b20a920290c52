"""`antinode demo`: a shop's clickstream on its way through a server that keeps having accidents."""
