"""Channels: messages to people, over webhooks, mail and commands.

Put here: composing a message in the form of a channel, and sending it within limits. Keep out: what
is worth a message (marts/alert_rules), to whom and when (application/alerts.py).
"""
