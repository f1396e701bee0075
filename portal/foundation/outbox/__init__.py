"""The queue of record.  Celery only rings: a message says "there is work on this queue" and nothing more."""
