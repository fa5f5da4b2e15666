"""OpenAI's wire format as rigs speak it: requests, the texts in them, and responses."""
