"""Sets Django up and runs one module of the bench: `python -m tests.bench.tool seed issue 600`."""

import os
import sys
from importlib import import_module

import django
from django.utils.module_loading import autodiscover_modules

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    autodiscover_modules("tasks")
    import_module(f"tests.bench.{sys.argv[1]}").main(*sys.argv[2:])
