"""What to run on a machine that runs no engine yet: how to install one, which models fit.

models.py is data, fit.py arithmetic, install.py the commands to type.
"""
