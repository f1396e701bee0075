"""Django's settings, made from `portal.config` and nothing else."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from portal.config import Database, config
from portal.foundation.logs import configure

ROOT = Path(__file__).resolve().parent.parent

SECRET_KEY = config.secret_key
DEBUG = False
ALLOWED_HOSTS = sorted(
    {config.host, urlsplit(config.pki_base_url).hostname or "", *(("localhost", "127.0.0.1") if config.demo else ())}
)
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LOCALE_PATHS = [ROOT / "templates" / "locale"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "portal",
    "portal.foundation.tenancy",
    "portal.foundation.access",
    "portal.foundation.audit",
    "portal.foundation.outbox",
    "portal.foundation.api",
    "auth2fa",
    "lifecycle.policies",
    "lifecycle.authorities",
    "lifecycle.validation",
    "lifecycle.certificates",
    "lifecycle.requests",
    "lifecycle.wizards",
    "lifecycle.administration",
    "portal.notary",
    "portal.web",
    *(["portal.demo"] if config.demo else []),
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "portal.api",
]

MIDDLEWARE = [
    "portal.foundation.hops.Hops",
    "portal.web.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.web.middleware.LargestBody",
    "portal.web.middleware.OneAlphabet",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.web.middleware.SessionLimits",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.web.middleware.Doors",
]


def _database(database: Database) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password,
        "HOST": database.host,
        "PORT": database.port,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "OPTIONS": {"connect_timeout": 5},  # seconds; a database that does not answer is one that is away
    }


# The owner migrates and grants; everything else is the service's own role, which meets every fence.
_as_owner = config.service in {"migrate", "tool"} and config.database_owner
DATABASES = {"default": _database(config.database_owner if _as_owner else config.database)}  # type: ignore[arg-type]

AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["auth2fa.login.backend.LocalPassword"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

PASSWORD_RESET_TIMEOUT = 30 * 60

# __Host- binds a cookie to this very host and to TLS; a demo on plain loopback cannot have it
_PREFIX = "__Host-" if config.secure else f"demo-{urlsplit(config.origin).port}-"  # cookies do not tell ports apart
SESSION_ENGINE = "auth2fa.login.sessions"
SESSION_COOKIE_NAME = f"{_PREFIX}session"
SESSION_COOKIE_SECURE = config.secure
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = f"{_PREFIX}csrf"
CSRF_COOKIE_SECURE = config.secure
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.web.problems.csrf_failure"
CSRF_TRUSTED_ORIGINS = [config.origin]
SECURE_HSTS_SECONDS = 365 * 86400 if config.secure else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if config.secure else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # a file of certificates comes back as text to be confirmed

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static" / "dist"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_IMMUTABLE_FILE_TEST = r"-[0-9a-f]{12}\.\w+$"  # the build puts the content's hash into the name

FORM_RENDERER = "portal.web.forms.PortalRenderer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.frame",
            ],
        },
    }
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # the middleware knows tokens; a session opens nothing here
    "DEFAULT_PERMISSION_CLASSES": [],  # `program_guard` around each view
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # no parameter of a query is rest_framework's own
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Certificate portal",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1/t/\{tenant\}",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "DISABLE_ERRORS_AND_WARNINGS": False,
    "PREPROCESSING_HOOKS": ["portal.api.schema.only_the_api"],
    "POSTPROCESSING_HOOKS": ["portal.api.schema.what_all_operations_share"],
    "APPEND_COMPONENTS": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "SECURITY": [{"token": []}],
}

if config.mail.scheme == "file":
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = config.mail.folder
else:
    EMAIL_HOST, EMAIL_PORT = config.mail.host, config.mail.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = config.mail.user, config.mail.password
    EMAIL_USE_TLS = config.mail.tls
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = config.mail_from

LOGGING_CONFIG = None
configure(config.log_level)
