"""Celery as a bell: one task a queue, which drains the errands that are due.

Correctness lives in the database (leases, states, idempotent steps); a message is
lost or doubled without harm.  No results, no retries, no eta: copies multiply on
Redis, and what a task returns or raises would end up in a second store.
"""

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from portal.config import config
from portal.foundation.outbox.registry import QUEUES

app = Celery("portal")
app.conf.update(
    broker_url=config.redis_url,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=2,
    broker_connection_max_retries=None,  # a worker waits for its broker for as long as it takes
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_transport_options={
        "visibility_timeout": 3600,
        "socket_timeout": 2,
        "socket_connect_timeout": 2,
        "max_retries": 0,
    },
    task_routes={f"drain.{queue}": {"queue": queue} for queue in QUEUES},
    timezone="UTC",
    db_reuse_max=1000,
)


def _drains(queue: str) -> None:
    @app.task(name=f"drain.{queue}")
    def drain() -> None:
        from portal.foundation.outbox.drain import drain as work  # noqa: PLC0415 - Django is not set up yet above

        work(queue)


for _queue in QUEUES:
    _drains(_queue)


@signals.worker_init.connect
def _know_the_tasks(**_: Any) -> None:
    import django  # noqa: PLC0415
    from django.utils.module_loading import autodiscover_modules  # noqa: PLC0415

    from portal.foundation.tenancy.role import refuse_unfenced_role  # noqa: PLC0415

    django.setup()
    autodiscover_modules("tasks")
    refuse_unfenced_role()
    if config.service == "signing":
        from lifecycle.authorities import issuance  # noqa: PLC0415

        issuance.warm()  # half a second that the first certificate would otherwise wait for
