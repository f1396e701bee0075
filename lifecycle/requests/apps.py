from django.apps import AppConfig


class RequestsConfig(AppConfig):
    name = "lifecycle.requests"
    label = "requests"
