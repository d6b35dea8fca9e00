"""One module a command group, imported only when it is called."""
