"""Who may see what: principals, their grants and tokens, and the log of every access.

Put here: authentication, authorization, the audit log. Keep out: reading a tenant's data (the rest
of serve), HTTP (api).
"""
