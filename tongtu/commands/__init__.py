"""One module a command or group of commands; each imports what it needs only when it runs."""
