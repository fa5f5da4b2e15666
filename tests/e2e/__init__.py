"""The whole network as a newcomer gets it: real processes, sockets, engine, browser, client."""
