"""Grading a cohort: right marks, our faults to review, and nothing lost or doubled when processes are killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.locking import writer_lock
from assessor.database.tables import Job, Mark, Submission
from assessor.errors import AlreadyRunning
from assessor.workflow.autograde import autograde

from .conftest import tiny_notebook  # type: ignore[import-not-found]

ASSESSOR = Path(sys.executable).with_name("assessor")
