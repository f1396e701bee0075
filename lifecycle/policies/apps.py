from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "lifecycle.policies"
    label = "policies"
