from django.apps import AppConfig


class NotaryConfig(AppConfig):
    name = "portal.notary"
    label = "notary"
