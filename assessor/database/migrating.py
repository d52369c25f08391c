"""Migrations by alembic, driven from here: no alembic.ini, no command to remember."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from assessor.errors import DatabaseUnavailable

HEAD = "0006"
"""The revision that this version of the software works with."""
SCRIPTS = Path(__file__).with_name("migrations")


def current(engine: Engine) -> str | None:
    """The database's revision, None where it holds nothing of ours."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def bring_up(engine: Engine, shown: str, *, create: bool) -> None:
    """Checks the revision, and migrates where `create` allows it.

    Raises:
        DatabaseUnavailable: nothing there and not to be made, or made by another version.
    """
    found = current(engine)
    if found == HEAD:
        return
    if found is not None and found not in known_revisions():
        raise DatabaseUnavailable(f"{shown}: made by a newer version (revision {found}); update this software")
    if not create:
        state = "no tables yet" if found is None else f"an older revision ({found})"
        raise DatabaseUnavailable(f"{shown}: {state}; any command that writes, such as `assessor roster`, mends that")
    migrate(engine, HEAD)


def migrate(engine: Engine, revision: str) -> None:
    """Goes up or down to a revision ('base' for none), in one transaction.

    Two that start at once go one after the other, and the second finds nothing left to do.
    """
    from alembic import command  # slow to import, and needed once in a database's life

    with engine.execution_options(writer=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(6258)"))
        config = _config()
        config.attributes["connection"] = connection
        found = connection.dialect.has_table(connection, "alembic_version")
        down = revision == "base" or (found and _is_older(revision, connection))
        (command.downgrade if down else command.upgrade)(config, revision)


def known_revisions() -> list[str]:
    """All revisions of this version, oldest first."""
    return sorted(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def _is_older(revision: str, connection: Connection) -> bool:
    at = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    known = known_revisions()
    return at in known and revision in known and known.index(revision) < known.index(at)


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
