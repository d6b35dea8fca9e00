"""The tagbox command: parse, call, print."""
