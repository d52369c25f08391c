"""The course's database: tables, transactions, the job queue, queries. SQLite by default, PostgreSQL by URL."""

from assessor.database import acts as acts  # its table belongs to the schema
from assessor.database import quizzes as quizzes  # and so do these
from assessor.database.engine import Database, open_database

__all__ = ["Database", "open_database"]
