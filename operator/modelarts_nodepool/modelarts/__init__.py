"""The client of ModelArts: ports.ModelArts over HTTP."""
