"""The demo's 24 made-up students: who they are, what fate is planted and what mark must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

EARLY = timedelta(hours=-20)


@dataclass(frozen=True)
class Planted:
    """One student's plan for the first lab.

    Attributes:
        fate: a key of `fates.FATES`, or one of the three below that is no notebook.
        points: what the hidden tests must give of 4, or None where there is nothing to mark.
        late: how long after the deadline it is handed in (negative: before).
        factor: what lateness must leave of the mark.
        extension: text of an extension that is given.
        timing: when it came, where that is the point of it.
    """

    id: str
    name: str
    fate: str
    points: str | None
    late: timedelta = EARLY
    factor: str = "1"
    extension: str = ""
    timing: str = ""

    @property
    def story(self) -> str:
        """Fate and timing, as the table tells them."""
        return f"{self.fate}, {self.timing}" if self.timing else self.fate

    @property
    def result(self) -> str:
        """The planted result, in the words of the table."""
        return describe(None if self.points is None else Decimal(self.points), Decimal(self.factor))


NO_SUBMISSION = "no submission"
NO_NOTEBOOK = "a file that is no notebook"
SECOND_ATTEMPT = "worse at the second attempt"

COHORT = (
    Planted("ada01", "Ada Osei", "right", "4"),
    Planted("bao02", "Bảo Nguyễn", "right in another way: einsum, logsumexp", "4"),
    Planted("chidi03", "Chidi Okonkwo", "right in another way: a loop over ranks", "4"),
    Planted("dara04", "Dara O'Neill", "right, but leaves float64 and no_grad behind", "4"),
    Planted("elif05", "Elif Yılmaz", "wrong: softmax overflows", "3.75"),
    Planted("farid06", "فرید رضایی", "wrong: mean for sum", "3.35"),
    Planted("greta07", "Greta Müller", "wrong: no rank cut-off", "3.75"),
    Planted("haru08", "田中 春", "wrong: test set leaks into its statistics", "3.5"),
    Planted("ines09", "Inês Gonçalves", "unfinished: two functions", "3"),
    Planted("jun10", "김준", "a cell that raises", "4"),
    Planted("kofi11", "Kofi Mensah", "a cell that ends the process", "4"),
    Planted("lena12", "Лена Иванова", "infinite loop", "4"),
    Planted("mina13", "Mina =HYPERLINK", "30 GB allocation", "4"),
    Planted("noor14", "نور الحسن", "floods the output", "4"),
    Planted("olu15", "=1+1", "reads the hidden tests", "3.5"),
    Planted("petra16", "Petra Novák", "forges results", "3.25"),
    Planted("quinn17", "Quinn Adler", "lost every id", "4"),
    Planted("rosa18", "Rosa Jiménez", "edited and deleted tests", "3.6"),
    Planted("sven19", "Sven Ångström", "right", "4", timedelta(minutes=1), "0.9", timing="a minute late"),
    Planted("tala20", "Ταλα Παππά", "right", "4", timedelta(days=3), "0.7", timing="three days late"),
    Planted("uma21", "उमा शर्मा", "right", "4", timedelta(days=2), "1", "+3 days", "late within an extension"),
    Planted("viktor22", "Viktor Šimić", SECOND_ATTEMPT, "3.5"),
    Planted("wen23", "王文", NO_SUBMISSION, None),
    Planted("yara24", "Yara Haddad", NO_NOTEBOOK, "0"),
)


def describe(points: Decimal | None, factor: Decimal) -> str:
    """A result in words: '3.5 of 4', '4 of 4, late x 0.9', 'not submitted'."""
    if points is None:
        return "not submitted"
    late = f", late x {factor.normalize():f}" if factor != 1 else ""
    return f"{points.normalize():f} of 4{late}"
