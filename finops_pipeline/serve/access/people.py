"""People who sign in with an identity provider, and the principals that they are here.

Put here: finding a person's principal, and tying it to the person's subject. Keep out: verifying
what the provider says (oidc_tokens.py), principals (principals.py).

A person is known by issuer and subject. An e-mail address, which a provider may give to somebody
else one day, counts once: the first person who signs in with it, verified, becomes the principal.
"""

from __future__ import annotations

import sqlalchemy as sa

from finops_pipeline.serve.access.access_tables import PRINCIPALS
from finops_pipeline.serve.access.principals import Identity, Principal, parse_principal


def find_person(db: sa.Connection, identity: Identity) -> Principal | None:
    """Find the principal of a person by the subject, or else by the verified e-mail address.

    A principal that is tied to a subject already is not found by its address.
    """
    table = PRINCIPALS.c
    if not identity.issuer or not identity.subject:
        return None
    of_issuer = sa.select(PRINCIPALS).where(table.issuer == identity.issuer)
    row = db.execute(of_issuer.where(table.subject == identity.subject)).one_or_none()
    if row is None and identity.email:
        invited = of_issuer.where(table.subject.is_(None), table.email == identity.email)
        row = db.execute(invited).first()
    return parse_principal(row) if row is not None else None


def find_invited(db: sa.Connection, identity: Identity) -> Principal | None:
    """Find the principal that somebody gave this e-mail address, tied to a subject or not."""
    table = PRINCIPALS.c
    query = sa.select(PRINCIPALS).where(
        table.issuer == identity.issuer, table.email == identity.email, table.email != ""
    )
    row = db.execute(query).first()
    return parse_principal(row) if row is not None else None


def tie_to_subject(db: sa.Connection, principal: Principal, identity: Identity) -> bool:
    """Tie a principal to the subject of the person who has signed in as it, unless it is tied."""
    table = PRINCIPALS.c
    own = (table.principal_id == principal.principal_id, table.subject.is_(None))
    return (
        db.execute(sa.update(PRINCIPALS).where(*own).values(subject=identity.subject)).rowcount > 0
    )
