"""The `luckrig` command: parses options, wires the other parts together, prints.

The only part that prints, and with each part's settings.py the only one that reads the
environment. Each command is a module of its own, named in main.py's table.
"""
