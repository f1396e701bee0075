import pathlib
import subprocess
import sys

import pytest

from tests.api import test_schemathesis as t
from tests.api.conftest import token_of
from tests.api.test_schemathesis import address  # noqa

pytestmark = pytest.mark.django_db

def test_probe(world, acme, address, tmp_path):
    conf = t.CONFIGURATION + t.there_is(t.things(world, acme))
    told = tmp_path / "schemathesis.toml"; told.write_text(conf)
    secret = token_of(world.people["ada"], acme)
    command = [str(pathlib.Path(sys.executable).with_name("schemathesis")), "--config-file", str(told), "run", f"{address}/api/v1/schema", "--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "9", "--include-path-regex", "/(agreements|policies|profiles|invitations|journal|people|certificates/uploads)", "--exclude-method", "GET", "--header", f"Authorization: Bearer {secret}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    pathlib.Path("/tmp/b/g_probe.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0
