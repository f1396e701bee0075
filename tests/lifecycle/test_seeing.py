"""Who of the perspectives agrees, read from the evidence that looks leave behind."""

from lifecycle.wizards.seeing import agreement_in


def quorum(reason, agreeing, dissenting):
    return {"quorum": {"reason": reason, "agreeing": agreeing, "dissenting": dissenting}}


def test_who_saw_the_same_agrees():
    found = agreement_in(quorum("reached", ["a", "b"], ["c"]))

    assert (found.agreeing, found.dissenting) == (("a", "b"), ("c",))
    assert found.sentence == "2 of 3 perspectives agree."
    assert found.dissent == "Saw something else, or could not be asked: c."


def test_where_we_saw_a_prohibition_those_agree_that_saw_none_to_permit_either():
    """`agreed` counts who would let it pass; who was not heard said nothing of the kind."""
    rows = [{"name": "a", "ok": False}, {"name": "b", "ok": False, "failure": "too-slow"}, {"name": "c", "ok": True}]
    found = agreement_in({**quorum("not-seen-here", ["c"], ["a", "b"]), "perspectives": rows})

    assert (found.agreeing, found.dissenting) == (("a",), ("c", "b"))


def test_where_nobody_was_asked_nothing_is_said():
    assert agreement_in({}) is None
    assert agreement_in({"quorum": None}) is None
    assert agreement_in(quorum("too-few-asked", [], [])) is None
