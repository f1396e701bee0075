"""The operator's list of perspectives: what makes no sense is refused by name, and what will not do is told."""

import json
from datetime import timedelta

import pytest
import structlog.testing

from lifecycle.validation import standing_report
from lifecycle.validation.perspectives.identity import Identity, make_identity
from lifecycle.validation.standing_report import WORDS, faults_told_by, perspectives_state
from portal import config as configuration
from portal.config import Misconfigured, config
from portal.foundation import clock
from portal.foundation.outbox import heartbeat
from portal.perspectives import MOST, Perspectives
from portal.web.platform.overview import service_of
from tests.fakes.perspectives import PLACES, certificate_of, pem_of
from tests.plugins.services import surroundings
from tests.world import serving

PRIMARY = {"region": "RIPE", "latitude": 50.1, "longitude": 14.4}


def row(which, /, **changes):
    place = PLACES[which]
    return {
        "name": which, "region": place.region, "latitude": place.latitude, "longitude": place.longitude,
        "url": f"https://{which}.perspectives.example:8443", "certificate": f"{which}.pem",
    } | changes  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name in PLACES:
        (tmp_path / f"{name}.pem").write_text(pem_of(certificate_of(name)))
    return tmp_path


def written(folder, said):
    file = folder / "perspectives.json"
    file.write_text(said if isinstance(said, str) else json.dumps(said))
    return str(file)


def listed(folder, *rows, primary=PRIMARY):
    return written(folder, {"primary": primary, "perspectives": list(rows)})


def test_the_list_is_read(folder):
    told = Perspectives.from_file(listed(folder, *map(row, PLACES)))
    assert [each.name for each in told.remote] == list(PLACES)
    assert told.remote[0].certificate == certificate_of("ashburn")
    assert (told.remote[0].host, told.remote[0].port) == ("ashburn.perspectives.example", 8443)
    assert told.primary.region == "RIPE"


ROWS = {
    "a field missing": {"url": ...},
    "a field more": {"note": "x"},
    "a name in capitals": {"name": "Ashburn"},
    "the name of the primary": {"name": "primary"},
    "a name that is no text": {"name": 1},
    "a region of the world": {"region": "EU"},
    "a region that is a list": {"region": []},
    "a latitude beyond the pole": {"latitude": 91},
    "a longitude around twice": {"longitude": -181},
    "a latitude in words": {"latitude": "39 N"},
    "a latitude that is true": {"latitude": True},
    "plain http": {"url": "http://ashburn.perspectives.example:8443"},
    "a path": {"url": "https://ashburn.perspectives.example/observe"},
    "a user": {"url": "https://me@ashburn.perspectives.example"},
    "a port that is none": {"url": "https://ashburn.perspectives.example:x"},
    "no host": {"url": "https://:8443"},
    "no url": {"url": None},
    "a certificate that is not there": {"certificate": "nowhere.pem"},
    "a certificate that is none": {"certificate": "perspectives.json"},
    "a certificate that is a number": {"certificate": 5},
}


@pytest.mark.parametrize("change", ROWS.values(), ids=ROWS)
def test_a_row_that_makes_no_sense_is_refused_by_its_number(folder, change):
    bad = {key: value for key, value in row("ashburn", **change).items() if value is not ...}
    with pytest.raises(ValueError, match=r"perspective 2: "):
        Perspectives.from_file(listed(folder, row("tokyo"), bad))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "tokyo"}, "name"),
        ({"certificate": "tokyo.pem"}, "certificate"),
        ({"url": "https://tokyo.perspectives.example:8443/"}, "host and port"),
    ],
)
def test_two_with_the_same_are_refused(folder, change, what):
    with pytest.raises(ValueError, match=f"two perspectives with the same {what}"):
        Perspectives.from_file(listed(folder, row("tokyo"), row("ashburn", **change)))


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "{}", '{"perspectives": []}', "[" * 100_000, '{"primary": 1, "perspectives": 1}']
)
def test_what_is_no_list_is_refused(folder, said):
    with pytest.raises(ValueError, match=r"perspectives\.json"):
        Perspectives.from_file(written(folder, said))


def test_an_empty_list_and_one_without_end_are_refused(folder):
    for rows in ([], [row("tokyo")] * (MOST + 1)):
        with pytest.raises(ValueError, match="names no perspectives, or more than"):
            Perspectives.from_file(listed(folder, *rows))


def test_where_the_portal_stands_has_to_be_said(folder):
    for primary in (None, {}, {"region": "RIPE"}):
        with pytest.raises(ValueError, match="primary: a place has"):
            Perspectives.from_file(listed(folder, row("tokyo"), primary=primary))


def test_a_key_of_another_kind_and_a_strangers_certificate_are_no_identity(folder, tmp_path):
    (tmp_path / "a").mkdir()
    make_identity("ashburn", tmp_path / "a" / "one")
    make_identity("ashburn", tmp_path / "a" / "two")
    key = (tmp_path / "a" / "one" / "identity.pem").read_text().partition("-----BEGIN CERT")[0]
    mixed = tmp_path / "a" / "mixed.pem"
    mixed.write_text(key + (tmp_path / "a" / "two" / "certificate.pem").read_text())
    with pytest.raises(ValueError, match="certificate of another one"):
        Identity.at(mixed)


# --- the service's environment --------------------------------------------------------------------------------------


def faults(**told):
    environment = surroundings().environment("validation")
    cleared = {name: value for name, value in environment.items() if not name.startswith("PERSPECTIVE")}
    try:
        configuration.read(cleared | told)
    except Misconfigured as error:
        return [line.removeprefix("  - ") for line in str(error).splitlines()[1:]]
    return []


def test_the_worker_starts_without_perspectives_and_not_with_half_of_what_they_need(folder):
    make_identity("portal", folder / "portal")
    file, identity = listed(folder, *map(row, PLACES)), str(folder / "portal")
    assert faults() == []
    assert faults(PERSPECTIVES_FILE=file, PERSPECTIVE_IDENTITY=identity) == []
    assert faults(PERSPECTIVES_FILE=file) == [
        "PERSPECTIVE_IDENTITY is not set; perspectives answer nobody whom they do not know"
    ]
    assert faults(PERSPECTIVES_FILE=file, PERSPECTIVE_IDENTITY="/nowhere") == [
        "PERSPECTIVE_IDENTITY names /nowhere, and there is no such file"
    ]
    assert faults(PERSPECTIVES_FILE="/nowhere") == [
        "PERSPECTIVES_FILE /nowhere cannot be read (No such file or directory)"
    ]


# --- telling the operator -------------------------------------------------------------------------------------------


@pytest.fixture
def having(folder, monkeypatch):
    monkeypatch.setattr(standing_report, "_told", [])

    def have(*names):
        told = Perspectives.from_file(listed(folder, *map(row, names)))
        monkeypatch.setattr(standing_report, "config", type("Told", (), {"perspectives": told}))

    return have


def test_who_has_none_hears_nothing(monkeypatch):
    monkeypatch.setattr(standing_report, "config", type("Told", (), {"perspectives": Perspectives()}))
    assert perspectives_state() == {}
    assert config.service  # the real one is as it was


def test_what_is_wrong_is_in_the_heartbeat_and_once_in_the_log(having):
    having(*PLACES)
    assert perspectives_state() == {"perspectives": "ok"}
    having("ashburn", "tokyo", "mumbai")
    with structlog.testing.capture_logs() as said:
        states = [perspectives_state() for _ in range(3)]
    assert states[0]["perspectives"]["state"] == "open"
    assert [line["event"] for line in said] == ["perspectives.fault"]
    assert (said[0]["code"], said[0]["wanted"], said[0]["there"]) == ("too-few", 4, 3)
    with clock.frozen(clock.now() + timedelta(days=3653)), structlog.testing.capture_logs() as said:
        perspectives_state()
    assert [line["code"] for line in said] == ["too-few", "ending"]


@pytest.mark.django_db(transaction=True)
def test_the_operator_reads_it_in_words(having, owner):
    having("ashburn", "tokyo", "mumbai")
    with serving("validation"):
        heartbeat._last.pop("validation", None)
        heartbeat.beat("validation", **perspectives_state())
    [heard] = heartbeat.heard_from("validation")
    assert not heard.well
    [sentence] = faults_told_by([heard, heard])
    assert sentence == "The rules for public trust ask for 4 remote perspectives today, and 3 count."
    shown = service_of("validation")
    assert (shown.next_step, str(shown.status.word)) == (sentence, "Ailing")


def test_every_fault_has_words_that_say_whom_it_is_about():
    for words in WORDS.values():
        assert "{" in str(words)
