"""Layer 2 of moderation: asks a service of the owner's choice, OpenAI's or one that speaks like it.

What comes back is an opinion on single texts. luckrig says of a text that it was checked, and
never more than that. Whatever goes wrong counts as a refusal.
"""
