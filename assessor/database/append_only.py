"""Triggers that keep what was written as it was written, on SQLite and PostgreSQL; migrations call these functions.

One door stays: the erasure of a student's record where the law asks for it. It opens for the student who stands in the
table `erasing`, for deletion only, and closes with the student's own row. The database notes in the audit, by a trigger of
its own, that it was opened, by whom and why. In events and acts that name the student beside others, the name may then be
rewritten; when, what and by whom may not.
"""

from __future__ import annotations

OF_STUDENT = "OLD.student_id"
OF_SUBMISSION = "(SELECT student_id FROM submission WHERE id = OLD.submission_id)"
OF_GRADING = (
    "(SELECT submission.student_id FROM grading JOIN submission ON submission.id = grading.submission_id "
    "WHERE grading.id = OLD.grading_id)"
)
OF_ATTEMPT = "(SELECT student_id FROM quiz_attempt WHERE id = OLD.attempt_id)"
OF_NOBODY = "NULL"
"""Whose a row is, in SQL: the student whose erasure may take it away."""


def protect(engine: str, table: str, whose: str, key: tuple[str, ...] = ("id",)) -> list[str]:
    """Statements that make a new table append-only.

    Args:
        engine: SQLAlchemy's name of the dialect.
        whose: one of the expressions above.
        key: the primary key, since SQLite's INSERT OR REPLACE takes a row away without calling the trigger of DELETE.
    """
    if engine == "sqlite":
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        return [
            *_sqlite(table, whose),
            f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "  # noqa: S608 - names of ours
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {_raise(table)}",
        ]
    return [
        f"CREATE FUNCTION {table}_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
        f"IF EXISTS (SELECT 1 FROM erasing WHERE student_id = {whose}) THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_delete()",
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    ]


def unprotect(engine: str, table: str) -> list[str]:
    """Statements that take the triggers of `protect` away again."""
    if engine == "sqlite":
        return [f"DROP TRIGGER {table}_refuses_{verb}" for verb in ("update", "delete", "replace")]
    return [
        f"DROP TRIGGER {table}_refuses_delete ON {table}",
        f"DROP TRIGGER {table}_refuses_change ON {table}",
        f"DROP FUNCTION {table}_refuse_delete()",
    ]


def allow_redaction(engine: str, table: str, fixed: tuple[str, ...]) -> list[str]:
    """Statements by which `detail` and `author` of a protected table may be rewritten where they name who is erased.

    Args:
        fixed: the columns that stay as they are even then.
    """
    if engine == "sqlite":
        kept = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in fixed)
        named = "instr(OLD.detail, student_id) > 0 OR OLD.author = student_id"
        signed = "NEW.author = OLD.author OR OLD.author = student_id"
        return [
            f"DROP TRIGGER {table}_refuses_update",
            f"CREATE TRIGGER {table}_refuses_update BEFORE UPDATE ON {table} "  # noqa: S608
            f"WHEN NOT ({kept} AND EXISTS (SELECT 1 FROM erasing WHERE ({named}) AND ({signed}))) {_raise(table)}",
        ]
    kept = " AND ".join(f"NEW.{column} IS NOT DISTINCT FROM OLD.{column}" for column in fixed)
    return [
        f"DROP TRIGGER {table}_refuses_change ON {table}",
        f"CREATE TRIGGER {table}_refuses_change BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        f"CREATE FUNCTION {table}_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
        f"IF {kept} AND EXISTS (SELECT 1 FROM erasing WHERE "
        "(strpos(OLD.detail::text, student_id) > 0 OR OLD.author = student_id) "
        "AND (NEW.author = OLD.author OR OLD.author = student_id)) THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        f"CREATE TRIGGER {table}_refuses_update BEFORE UPDATE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_update()",
    ]


def forbid_redaction(engine: str, table: str) -> list[str]:
    """Statements that take away what `allow_redaction` added to `protect`."""
    if engine == "sqlite":
        return []
    return [f"DROP TRIGGER {table}_refuses_update ON {table}", f"DROP FUNCTION {table}_refuse_update()"]


def note_erasure(engine: str) -> list[str]:
    """Statements by which the database itself writes into the audit that the door was opened."""
    if engine == "sqlite":
        return [
            "CREATE TRIGGER erasing_is_noted AFTER INSERT ON erasing BEGIN "
            "INSERT INTO event (at, author, verb, detail) SELECT NEW.at, NEW.author, 'erase', "
            "json_object('student', marking_id, 'reason', NEW.reason) FROM student WHERE id = NEW.student_id; END",
            "CREATE TRIGGER erasing_refuses_update BEFORE UPDATE ON erasing "
            "BEGIN SELECT RAISE(ABORT, 'erasing is append-only'); END",
        ]
    return [
        "CREATE FUNCTION note_erasure() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO event (at, author, verb, detail) SELECT NEW.at, NEW.author, 'erase', "
        "json_build_object('student', marking_id, 'reason', NEW.reason) FROM student WHERE id = NEW.student_id; "
        "RETURN NULL; END $$",
        "CREATE TRIGGER erasing_is_noted AFTER INSERT ON erasing FOR EACH ROW EXECUTE FUNCTION note_erasure()",
        "CREATE TRIGGER erasing_refuses_update BEFORE UPDATE ON erasing "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    ]


def _sqlite(table: str, whose: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_refuses_update BEFORE UPDATE ON {table} {_raise(table)}",
        f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} "  # noqa: S608
        f"WHEN NOT EXISTS (SELECT 1 FROM erasing WHERE student_id = {whose}) {_raise(table)}",
    ]


def _raise(table: str) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
