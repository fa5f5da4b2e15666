"""The command line: commands, errors, exit codes, key files, what reaches the terminal."""
