# ruff: noqa: E501 - files as other systems write them
"""Other systems' formats: files of their shapes, round trips of all our kinds, and files that attack whoever opens them."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessor.errors import CourseInvalid
from assessor.quizzes.bank import parse_bank, read_bank
from assessor.quizzes.formats import READERS, WRITERS, guess_format
from assessor.quizzes.formats.bank_text import bank_text, same
from assessor.quizzes.formats.markup import to_html, to_markdown
from assessor.quizzes.questions import Answer, Kind, Pair, Question, Tolerance

ROOT = Path(__file__).parents[3]
GIFT = Path("bank.gift")
XML = Path("bank.xml")
ONE, NONE, HALF = Decimal(1), Decimal(0), Decimal("0.5")


def read(name: str, text: str | bytes, file: Path = XML) -> tuple[list[Question], list[tuple[str, str]]]:
    found = READERS[name](text if isinstance(text, bytes) else text.encode(), file)
    return list(found.questions), [(note.question, note.what) for note in found.notes]


# Files of each format's shapes


GIFT_FILE = r"""// a comment
$CATEGORY: $course$/top/Deep learning

::Softmax:: Which loss goes with softmax? {
=cross-entropy#Yes.
~hinge#That is for margins.
~%50%squared error
####Logits go in.
}

::Even:: Which are even? {~%50%two ~%50%four ~%-100%three}

The gradient of a constant is 0.{T#Look again.#Right.}

::Size:: How many? {#=4:0.5 =%50%8:0.5#bits}

::Range:: Between? {#1..5}

::Name:: An optimiser {=Adam =%50%Adagrad}

::Match:: Pair them { =cat -> meows =dog -> barks = -> quacks }

::Escaped:: What is \{x\: x\=1\}? {=x \= 1 ~a\~b ~c\#d}

Paris is in {=France} and nowhere else.

::Essay:: Tell all. {}

A description.
"""


def test_gift_of_every_kind() -> None:
    questions, notes = read("gift", GIFT_FILE, GIFT)
    kinds = {question.id: question.kind for question in questions}
    assert list(kinds.values()) == [
        Kind.SINGLE, Kind.MULTIPLE, Kind.TRUE_FALSE, Kind.NUMERICAL, Kind.NUMERICAL, Kind.SHORT, Kind.MATCHING, Kind.SINGLE, Kind.SHORT,
    ]  # fmt: skip
    by_id = {question.id: question for question in questions}
    softmax = by_id["softmax"]
    assert [(a.text, a.fraction, a.feedback) for a in softmax.answers] == [
        ("cross-entropy", ONE, "Yes."), ("hinge", NONE, "That is for margins."), ("squared error", HALF, ""),
    ]  # fmt: skip
    assert (softmax.topic, softmax.feedback) == ("Deep learning", "Logits go in.")
    assert [a.fraction for a in by_id["even"].answers] == [HALF, HALF, -ONE]
    truth = questions[2]
    assert [(a.text, a.fraction, a.feedback) for a in truth.answers] == [("True", ONE, "Right."), ("False", NONE, "Look again.")]
    assert by_id["size"].tolerance == Tolerance(HALF) and [a.text for a in by_id["size"].answers] == ["4", "8"]
    assert (by_id["range"].answers[0].text, by_id["range"].tolerance.absolute) == ("3", 2)
    assert by_id["match"].pairs == (Pair("cat", "meows"), Pair("dog", "barks"), Pair("", "quacks"))
    assert by_id["escaped"].text == "What is {x: x=1}?"
    assert [a.text for a in by_id["escaped"].answers] == ["x = 1", "a~b", "c#d"]
    assert questions[8].text == "Paris is in _____ and nowhere else."
    assert ("essay", "an essay") in notes and any(what == "a text without answers" for _, what in notes)


MOODLE = """<?xml version="1.0" encoding="UTF-8"?>
<quiz>
 <question type="category"><category><text>$course$/top/Week 3</text></category></question>
 <question type="multichoice">
  <name><text>Loss</text></name>
  <questiontext format="html"><text><![CDATA[<p>Which <code>loss</code> &amp; why?</p><p><img src="x.png" alt="net"/></p>]]></text></questiontext>
  <generalfeedback format="html"><text>All know.</text></generalfeedback>
  <defaultgrade>2.0</defaultgrade><penalty>0.3333333</penalty><hidden>0</hidden><single>true</single>
  <answer fraction="100" format="html"><text>cross-entropy</text><feedback format="html"><text>Yes</text></feedback></answer>
  <answer fraction="-33.33333" format="html"><text><![CDATA[<p>hinge</p>]]></text><feedback><text/></feedback></answer>
  <hint format="html"><text>think</text></hint>
 </question>
 <question type="truefalse"><name><text>T</text></name><questiontext format="plain_text"><text>So?</text></questiontext>
  <answer fraction="0"><text>true</text></answer><answer fraction="100"><text>false</text></answer></question>
 <question type="numerical"><name><text>N</text></name><questiontext format="markdown"><text>How much?</text></questiontext>
  <answer fraction="100"><text>4</text><tolerance>0.1</tolerance></answer>
  <units><unit><multiplier>1</multiplier><unit_name>MB</unit_name></unit><unit><multiplier>1000</multiplier><unit_name>kB</unit_name></unit></units>
 </question>
 <question type="shortanswer"><name><text>S</text></name><questiontext format="markdown"><text>Who?</text></questiontext>
  <usecase>1</usecase><answer fraction="100"><text>Adam*</text></answer></question>
 <question type="matching"><name><text>M</text></name><questiontext format="markdown"><text>Pair</text></questiontext>
  <subquestion format="markdown"><text>cat</text><answer><text>meows</text></answer></subquestion>
  <subquestion format="markdown"><text></text><answer><text>quacks</text></answer></subquestion></question>
 <question type="cloze"><name><text>C</text></name><questiontext><text>{1:SA:=x}</text></questiontext></question>
</quiz>
"""


def test_moodle_xml_of_every_kind() -> None:
    questions, notes = read("moodle", MOODLE)
    loss, truth, size, who, match = questions
    assert (loss.text, loss.marks, loss.topic, loss.feedback) == (
        "Which `loss` & why?\n\n[picture: net]",
        2,
        "Week 3",
        "All know.",
    )
    assert [(a.text, a.fraction) for a in loss.answers] == [("cross-entropy", ONE), ("hinge", Decimal("-0.3333333"))]
    assert [(a.text, a.fraction) for a in truth.answers] == [("True", NONE), ("False", ONE)]
    assert (size.unit, size.units, size.tolerance.absolute) == ("MB", (("kB", Decimal("0.001")),), Decimal("0.1"))
    assert who.case and match.pairs == (Pair("cat", "meows"), Pair("", "quacks"))
    assert {("loss", "a picture"), ("loss", "<hint>"), ("s", "the wildcard *"), ("c", "type 'cloze'")} <= set(notes)


def test_nothing_of_moodle_xml_is_changed_or_left_out_in_silence() -> None:
    questions, notes = read(
        "moodle",
        """<quiz><question type="shortanswer"><name><text>zero</text></name><questiontext><text>Q</text></questiontext>
        <defaultgrade>0</defaultgrade><answer fraction="100"><text>a</text></answer></question>
        <question type="numerical"><name><text>none</text></name><questiontext><text>Q</text></questiontext></question></quiz>""",
    )
    assert [(question.id, question.marks) for question in questions] == [("zero", 1)]
    assert set(notes) == {("zero", "a mark of 0"), ("none", "no right number")}


QTI12 = """<?xml version="1.0"?>
<questestinterop xmlns="http://www.imsglobal.org/xsd/ims_qtiasiv1p2"><assessment ident="a" title="Week 6"><section ident="root_section">
<item ident="i1" title="Loss"><itemmetadata><qtimetadata>
 <qtimetadatafield><fieldlabel>question_type</fieldlabel><fieldentry>multiple_choice_question</fieldentry></qtimetadatafield>
 <qtimetadatafield><fieldlabel>points_possible</fieldlabel><fieldentry>3</fieldentry></qtimetadatafield></qtimetadata></itemmetadata>
 <presentation><material><mattext texttype="text/html">&lt;p&gt;Which?&lt;/p&gt;</mattext></material>
  <response_lid ident="response1" rcardinality="Single"><render_choice>
   <response_label ident="1"><material><mattext>right</mattext></material></response_label>
   <response_label ident="2"><material><mattext>wrong</mattext></material></response_label></render_choice></response_lid></presentation>
 <resprocessing><outcomes><decvar maxvalue="100" minvalue="0" varname="SCORE"/></outcomes>
  <respcondition continue="No"><conditionvar><varequal respident="response1">1</varequal></conditionvar>
   <setvar action="Set" varname="SCORE">100</setvar></respcondition></resprocessing>
 <itemfeedback ident="general_fb"><flow_mat><material><mattext>Said.</mattext></material></flow_mat></itemfeedback></item>
<item ident="i2" title="Even"><itemmetadata><qtimetadata><qtimetadatafield><fieldlabel>question_type</fieldlabel>
 <fieldentry>multiple_answers_question</fieldentry></qtimetadatafield></qtimetadata></itemmetadata>
 <presentation><material><mattext>Even?</mattext></material><response_lid ident="r" rcardinality="Multiple"><render_choice>
  <response_label ident="1"><material><mattext>two</mattext></material></response_label>
  <response_label ident="2"><material><mattext>three</mattext></material></response_label>
  <response_label ident="3"><material><mattext>four</mattext></material></response_label></render_choice></response_lid></presentation>
 <resprocessing><respcondition><conditionvar><and><varequal respident="r">1</varequal><not><varequal respident="r">2</varequal></not>
  <varequal respident="r">3</varequal></and></conditionvar><setvar action="Set" varname="SCORE">100</setvar></respcondition></resprocessing></item>
<item ident="i3" title="Size"><itemmetadata><qtimetadata><qtimetadatafield><fieldlabel>question_type</fieldlabel>
 <fieldentry>numerical_question</fieldentry></qtimetadatafield></qtimetadata></itemmetadata>
 <presentation><material><mattext>How many?</mattext></material><response_str ident="r"><render_fib fibtype="Decimal"/></response_str></presentation>
 <resprocessing><respcondition><conditionvar><or><varequal respident="r">4</varequal><and><vargte respident="r">3.5</vargte>
  <varlte respident="r">4.5</varlte></and></or></conditionvar><setvar varname="SCORE">100</setvar></respcondition></resprocessing></item>
<item ident="i4" title="Tell"><itemmetadata><qtimetadata><qtimetadatafield><fieldlabel>question_type</fieldlabel>
 <fieldentry>essay_question</fieldentry></qtimetadatafield></qtimetadata></itemmetadata>
 <presentation><material><mattext>Tell.</mattext></material></presentation></item>
</section></assessment></questestinterop>
"""


def test_qti_1_2_as_canvas_writes_it() -> None:
    questions, notes = read("qti12", QTI12)
    loss, even, size = questions
    assert (loss.kind, loss.text, loss.marks, loss.topic, loss.feedback) == (Kind.SINGLE, "Which?", 3, "Week 6", "Said.")
    assert [a.fraction for a in loss.answers] == [1, 0]
    assert even.kind is Kind.MULTIPLE and [a.fraction for a in even.answers] == [HALF, -ONE, HALF]
    assert (size.answers[0].text, size.tolerance.absolute) == ("4", HALF)
    assert notes == [("tell", "type 'essay_question'")]


QTI21 = """<?xml version="1.0"?>
<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="c" title="Water" adaptive="false" timeDependent="false">
 <responseDeclaration identifier="RESPONSE" cardinality="multiple" baseType="identifier">
  <correctResponse><value>H</value><value>O</value></correctResponse>
  <mapping lowerBound="0" upperBound="2" defaultValue="-2"><mapEntry mapKey="H" mappedValue="1"/><mapEntry mapKey="O" mappedValue="1"/>
   <mapEntry mapKey="Cl" mappedValue="-1"/></mapping></responseDeclaration>
 <itemBody><p>What is in <em>water</em>?</p><choiceInteraction responseIdentifier="RESPONSE" shuffle="true" maxChoices="0">
  <prompt>Choose.</prompt><simpleChoice identifier="H">Hydrogen</simpleChoice><simpleChoice identifier="O" fixed="true">Oxygen</simpleChoice>
  <simpleChoice identifier="Cl">Chlorine</simpleChoice></choiceInteraction></itemBody>
 <responseProcessing template="http://www.imsglobal.org/question/qti_v2p1/rptemplates/map_response"/></assessmentItem>
"""


def test_qti_2_1_with_a_mapping() -> None:
    [water], _ = read("qti", QTI21)
    assert (water.kind, water.text) == (Kind.MULTIPLE, "What is in *water*?\n\nChoose.")
    assert [(a.text, a.fixed) for a in water.answers] == [("Hydrogen", False), ("Oxygen", True), ("Chlorine", False)]
    assert (water.marks, [a.fraction for a in water.answers]) == (2, [HALF, HALF, -HALF]), "one atom is half of it"


def numerical(*branches: tuple[str, str, str]) -> str:
    """An item that compares with numbers: (attributes of equal, number, score)."""
    tests = "".join(
        f'<{name}><equal {how}><variable identifier="RESPONSE"/><baseValue baseType="float">{value}</baseValue></equal>'
        f'<setOutcomeValue identifier="FEEDBACK"><baseValue baseType="identifier">f</baseValue></setOutcomeValue>'
        f'<setOutcomeValue identifier="SCORE"><baseValue baseType="float">{score}</baseValue></setOutcomeValue></{name}>'
        for name, (how, value, score) in zip(["responseIf", *["responseElseIf"] * len(branches)], branches, strict=False)
    )
    return (
        '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="n" title="n">'
        '<responseDeclaration identifier="RESPONSE" cardinality="single" baseType="float"/>'
        '<itemBody><p>How many?</p><textEntryInteraction responseIdentifier="RESPONSE"/></itemBody>'
        f"<responseProcessing><responseCondition>{tests}</responseCondition></responseProcessing></assessmentItem>"
    )


def test_a_number_that_earns_nothing_is_not_the_right_one() -> None:
    wide = 'toleranceMode="absolute" tolerance="0.5 0.5"'
    [question], notes = read("qti", numerical((wide, "4", "3"), (wide, "5", "0")))
    assert [(a.text, a.fraction) for a in question.answers] == [("4", 1), ("5", 0)]
    assert (question.marks, question.tolerance.absolute, notes) == (3, HALF, [])


@pytest.mark.parametrize(
    ("how", "what", "wide"),
    [
        ('toleranceMode="absolute" tolerance=" "', None, 0),
        ('toleranceMode="absolute" tolerance="wide"', "tolerance 'wide'", 0),
        ('toleranceMode="absolute" tolerance="-1"', "tolerance '-1'", 0),
        ('toleranceMode="absolute" tolerance="1 2"', "a range that is wider on one side", 2),
        ('tolerance="2"', "tolerance '2'", 0),
    ],
)
def test_a_tolerance_that_cannot_be_kept_is_noted(how: str, what: str | None, wide: int) -> None:
    [question], notes = read("qti", numerical((how, "4", "1")))
    assert question.tolerance.absolute == wide
    assert [each for _, each in notes] == ([what] if what else [])


# Round trips


def everything() -> tuple[Question, ...]:
    return tuple(question for path in sorted((ROOT / "quizzes").glob("*.md")) for question in read_bank(path))


def test_every_question_of_the_course_is_written_as_a_bank_and_read_back_equal() -> None:
    questions = everything()
    text, kept, notes = bank_text(questions, "All")
    assert notes == () and len(kept) == len(questions) > 100
    assert all(same(one, other) for one, other in zip(parse_bank(text, Path("all.md")), questions, strict=True))


def words_of(question: Question) -> list[str]:
    """Its text without what marks code: a language is not carried by HTML."""
    return [word for word in question.text.split() if not word.startswith(("```", "~~~"))]


@pytest.mark.parametrize("name", WRITERS)
def test_every_question_of_the_course_goes_out_and_comes_back_or_is_noted(name: str) -> None:
    questions = everything()
    written = WRITERS[name](questions, "All")
    back = READERS[name](written.data, Path(f"all{written.ending}"))
    noted = {note.question for note in written.notes} | {note.question for note in back.notes}
    by_id = {question.id: question for question in back.questions}
    for question in questions:
        own = by_id.get(question.id)
        if question.id not in noted:
            assert own is not None and same(own, question), question.id
        elif own is not None:
            assert words_of(own) == words_of(question), question.id
    left_out = {question.id for question in questions if question.id not in by_id and not question.lets}
    assert left_out <= {note.question for note in written.notes if "left out" in note.done}


words = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=24).filter(
    lambda text: text.strip()
)
tricky = st.sampled_from(
    [
        "a~b=c#d{e}f:g",
        r"\frac{1}{2}",
        "$\\sigma(x)$",
        "<b>bold</b>",
        "x -> y",
        "50%",
        "]]>",
        "&amp; & <",
        "=",
        "~%50%",
        "// no",
        "::t::",
        "T",
    ]
)
text_of = st.one_of(words, tricky).map(lambda text: " ".join(text.split()))


@st.composite
def question_of(draw: st.DrawFn) -> Question:
    kind = draw(st.sampled_from([Kind.SINGLE, Kind.MULTIPLE, Kind.NUMERICAL, Kind.SHORT, Kind.MATCHING]))
    text, feedback = draw(text_of), draw(st.one_of(st.just(""), text_of))
    base = {"id": "q", "text": f"Ask {text}", "feedback": feedback and f"Say {feedback}", "topic": "t"}
    if kind is Kind.MATCHING:
        stems = draw(st.lists(text_of, min_size=2, max_size=3, unique=True))
        return Question(kind=kind, pairs=tuple(Pair(f"s {stem}", f"m{place}") for place, stem in enumerate(stems)), **base)  # type: ignore[arg-type]
    if kind is Kind.NUMERICAL:
        value = draw(st.decimals(-1000, 1000, places=3))
        wide = draw(st.decimals(0, 10, places=2))
        answers = (Answer(f"{value.normalize():f}", ONE),)
        return Question(kind=kind, answers=answers, tolerance=Tolerance(wide.normalize()), **base)  # type: ignore[arg-type]
    options = draw(st.lists(text_of, min_size=2, max_size=4, unique_by=lambda text: text.strip().lower()))
    fractions = {
        Kind.SINGLE: [ONE, NONE, HALF, NONE],
        Kind.MULTIPLE: [HALF, HALF, -ONE, NONE],
        Kind.SHORT: [ONE, HALF, HALF, HALF],
    }[kind]
    said = draw(st.one_of(st.just(""), text_of))
    answers = tuple(
        Answer(f"o {option}", fraction, said and f"f {said}") for option, fraction in zip(options, fractions, strict=False)
    )
    return Question(kind=kind, answers=answers, **base)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["gift", "moodle"])
@given(question=question_of())
@settings(max_examples=150)
def test_whatever_is_written_is_read_back(name: str, question: Question) -> None:
    written = WRITERS[name]((question,), "T")
    [own] = READERS[name](written.data, Path("t" + written.ending)).questions
    assert same(own, question)


@given(question=question_of())
@settings(max_examples=100)
def test_qti_keeps_kind_key_and_words(question: Question) -> None:
    """Its text is marked up, so that only the words and the key can be the same."""
    written = WRITERS["qti"]((question,), "T")
    [own] = READERS["qti"](written.data, Path("t.zip")).questions
    assert own.kind in (question.kind, Kind.TRUE_FALSE)
    assert [round(a.fraction, 5) for a in own.answers] == [round(a.fraction, 5) for a in question.answers]
    assert own.tolerance == question.tolerance and len(own.pairs) == len(question.pairs)
    assert set(own.text.replace("`", "").split()) == set(question.text.replace("`", "").split())


@given(question=question_of())
@settings(max_examples=100)
def test_a_bank_never_lies(question: Question) -> None:
    text, kept, notes = bank_text([question], "T")
    assert len(kept) + len(notes) == 1
    for own in kept:
        assert same(parse_bank(text, Path("t.md"))[0], own)


@given(text=st.text(max_size=200))
@settings(max_examples=100)
def test_markup_never_breaks_a_page(text: str) -> None:
    shown, _ = to_markdown(to_html(text))
    assert "<script" not in to_html(text).lower() or "&lt;script" in to_html(text).lower()
    assert isinstance(shown, str)


def test_scripts_are_dropped_and_told() -> None:
    assert to_markdown("<p>a<script>alert(1)</script><style>b{}</style></p>") == ("a", ("<script>", "<style>"))


# Attacks


BOMB = b"""<?xml version="1.0"?><!DOCTYPE quiz [<!ENTITY a "aaaaaaaaaa">%s]><quiz>&e;</quiz>""" % b"".join(
    b'<!ENTITY %s "%s">' % (bytes([98 + n]), b"&%s;" % bytes([97 + n]) * 10) for n in range(9)
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]><quiz><question type="&x;"/></quiz>'
DTD = b'<?xml version="1.0"?><!DOCTYPE quiz SYSTEM "http://127.0.0.1:9/x.dtd"><quiz/>'


@pytest.mark.parametrize("name", ["moodle", "qti", "qti12"])
@pytest.mark.parametrize("data", [BOMB, OUTSIDE, DTD], ids=["bomb", "file", "dtd"])
def test_xml_that_brings_something_in_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(CourseInvalid, match="XML without DTD and entities"):
        READERS[name](data, XML)


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["qti", "qti12"])
def test_packages_that_attack_are_refused_and_nothing_is_unpacked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseInvalid, match="unpacks to too much"):
        READERS[name](zipped(**{"big.xml": b" " * (33 * 2**20)}), Path("p.zip"))
    with pytest.raises(CourseInvalid, match="whole"):
        READERS[name](b"PK\x03\x04 no zip at all", Path("p.zip"))
    with pytest.raises(CourseInvalid, match="XML without DTD"):
        READERS[name](zipped(**{"imsmanifest.xml": b"<manifest/>", "item.xml": BOMB}), Path("p.zip"))
    body = QTI21.encode() if name == "qti" else QTI12.encode()
    assert READERS[name](zipped(**{"../../evil.xml": body}), Path("p.zip")).questions
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=300))
@settings(max_examples=60)
def test_rubbish_is_refused_in_one_line_or_has_notes(name: str, data: bytes) -> None:
    try:
        READERS[name](data, Path("x"))
    except CourseInvalid as fault:
        assert len(str(fault).splitlines()) <= 2


def test_the_format_is_told_by_the_file() -> None:
    package = WRITERS["qti"](everything()[:2], "T").data
    cases = {"moodle": MOODLE.encode(), "qti12": QTI12.encode(), "qti": package, "gift": GIFT_FILE.encode()}
    assert {name: guess_format(data, Path("x.gift" if name == "gift" else "x")) for name, data in cases.items()} == {
        n: n for n in cases
    }
    assert guess_format(zipped(**{"a.xml": QTI12.encode()}), Path("x.zip")) == "qti12"
    assert guess_format(b"anything", Path("x.dat")) is None
