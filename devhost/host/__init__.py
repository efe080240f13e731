"""The Functions host's manners over HTTP: routes, bodies, headers, connections."""
