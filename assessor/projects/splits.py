"""How one mark of a team becomes its members': each method gives every member a factor, to multiply the team's mark by.

Order: factor, then the cost of a peer form that was not handed in, then the cap (`assessor.marking.acts.TeamShare`). A signed
split and WebPA keep the team's mean as long as neither cost nor cap takes anything; SPARK and CATME do not.

Sources:
    WebPA: Loughborough's worked example of the scoring algorithm. SPARK: Freeman and McKenzie (2002), SPA = sqrt(RPF).
    CATME: adjustment of at most 1.05, what lies above 0.95 shown as 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from assessor.marking.exact import EXACT, HUNDRED, ONE, ZERO

Ratings = Mapping[str, Mapping[str, Decimal]]
"""Who rated -> whom -> how. A member who handed in no form is no key; a rating of oneself may be there or not."""
METHODS = ("signed", "webpa", "spark", "catme")
CATME_CAP, CATME_NEAR = Decimal("1.05"), Decimal("0.95")
NOTABLE = (Decimal("0.7"), Decimal("1.3"))
NOTABLE_SELF = (Decimal("0.8"), Decimal("1.25"))
PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Part:
    """One member's part.

    Attributes:
        factor: the team's mark is multiplied by it.
        rated: whether the member handed in a peer form; True where none is asked for.
        note: what the module leader should see, or ''.
    """

    factor: Decimal
    rated: bool = True
    note: str = ""


def signed(shares: Mapping[str, Decimal]) -> dict[str, Part]:
    """The signed split: size x share; shares in percent.

    Raises:
        ValueError: the shares do not sum to 100.
    """
    if sum(shares.values(), ZERO) != HUNDRED:
        raise ValueError(f"shares sum to {sum(shares.values(), ZERO)}, not to 100")
    return {student: Part(len(shares) * share / HUNDRED) for student, share in shares.items()}


def webpa(members: Sequence[str], ratings: Ratings, weight: Decimal = Decimal("0.5")) -> dict[str, Part]:
    """(1 - w) + w x P, where P is what a member got of everybody's equal cake, x size / forms handed in.

    Raises:
        ValueError: nobody rated anybody.
    """
    with localcontext(EXACT):
        given = {rater: sum(row.values(), ZERO) for rater, row in ratings.items()}
        forms = [rater for rater, total in given.items() if total > 0]
        if not forms:
            raise ValueError("no form gives anybody anything")
        scores = {
            member: Decimal(len(members)) / len(forms)
            * sum((ratings[rater].get(member, ZERO) / given[rater] for rater in forms), ZERO)
            for member in members
        }  # fmt: skip
        factors = {member: (ONE - weight + weight * score).quantize(PLACES) for member, score in scores.items()}
    return {
        member: Part(factors[member], member in forms, _outside("WebPA score", score, NOTABLE))
        for member, score in scores.items()
    }


def spark(members: Sequence[str], ratings: Ratings) -> dict[str, Part]:
    """sqrt(RPF), where RPF is what a member received, by the mean of what members received; self-ratings count.

    The note compares how members rate themselves with how the others do (SAPA).

    Raises:
        ValueError: nobody rated anybody.
    """
    with localcontext(EXACT):
        received = {member: sum((row.get(member, ZERO) for row in ratings.values()), ZERO) for member in members}
        mean = sum(received.values(), ZERO) / len(members)
        if mean == 0:
            raise ValueError("no form gives anybody anything")
        return {
            member: Part(
                (received[member] / mean).sqrt().quantize(PLACES), member in ratings, _self_rating(member, ratings)
            )
            for member in members
        }


def catme(
    members: Sequence[str], ratings: Ratings, *, with_self: bool = False, adjusted: bool = True
) -> dict[str, Part]:
    """Mean rating received by the team's mean of those; what is above 0.95 counts as 1, and at most 1.05 counts.

    Args:
        with_self: whether ratings of oneself count.
        adjusted: False gives the raw quotients.

    Raises:
        ValueError: a member was rated by nobody, or all by 0.
    """
    with localcontext(EXACT):
        means = {}
        for member in members:
            got = [row[member] for rater, row in ratings.items() if member in row and (with_self or rater != member)]
            if not got:
                raise ValueError(f"{member} was rated by nobody")
            means[member] = sum(got, ZERO) / len(got)
        whole = sum(means.values(), ZERO) / len(means)
        if whole == 0:
            raise ValueError("no form gives anybody anything")
        factors = {member: mean / whole for member, mean in means.items()}
        return {
            member: Part(
                (_adjusted(factor) if adjusted else factor).quantize(PLACES), member in ratings,
                _outside("CATME factor", factor, NOTABLE),
            )
            for member, factor in factors.items()
        }  # fmt: skip


def peer_factors(method: str, members: Sequence[str], ratings: Ratings, weight: Decimal) -> dict[str, Part]:
    """The factors of one of the methods that go by peers' ratings.

    Raises:
        ValueError: the ratings do not suffice.
    """
    if method == "webpa":
        return webpa(members, ratings, weight)
    return spark(members, ratings) if method == "spark" else catme(members, ratings)


def _adjusted(factor: Decimal) -> Decimal:
    """1 where a member is within reach of the rest: above 0.95, as long as the 1.05 is not passed."""
    return CATME_CAP if factor >= CATME_CAP else ONE if factor > CATME_NEAR else factor


def _outside(what: str, value: Decimal, bounds: tuple[Decimal, Decimal]) -> str:
    return "" if bounds[0] <= value <= bounds[1] else f"{what} {value:.2f}, outside {bounds[0]} to {bounds[1]}"


def _self_rating(member: str, ratings: Ratings) -> str:
    others = [row[member] for rater, row in ratings.items() if rater != member and member in row]
    own = ratings.get(member, {}).get(member)
    if own is None or not others or not sum(others, ZERO):
        return ""
    return _outside("self over peers (SAPA)", (own * len(others) / sum(others, ZERO)).sqrt(), NOTABLE_SELF)
