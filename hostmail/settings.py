"""Django's settings, all of them from the environment (the table in README.md; .env.example).

Every variable is an attribute of the same name, parsed; mailcore reads them through
django.conf.settings. Safe by default: debug off, TLS required, nothing listens beyond loopback.
"""

import hmac
import ipaddress
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hostmail import log
from hostmail.env import BadSetting, Env, kept_secret
from hostmail.private_redis import known_url

BASE_DIR = Path(__file__).resolve().parent.parent
_env = Env(os.environ)

# --- Where we are -------------------------------------------------------------------------------

HOSTMAIL_DATA_DIR = _env.path("HOSTMAIL_DATA_DIR", BASE_DIR / "data")
HOSTMAIL_BIND = _env.address("HOSTMAIL_BIND", "127.0.0.1")
HOSTMAIL_HOSTNAME = _env.hostname("HOSTMAIL_HOSTNAME", "localhost")
ON_LOOPBACK = ipaddress.ip_address(HOSTMAIL_BIND).is_loopback

HOSTMAIL_HTTP_PORT = _env.port("HOSTMAIL_HTTP_PORT", 8000)
HOSTMAIL_SMTP_PORT = _env.port("HOSTMAIL_SMTP_PORT", 2525)
HOSTMAIL_SUBMISSION_PORT = _env.port("HOSTMAIL_SUBMISSION_PORT", 2587)
HOSTMAIL_SUBMISSIONS_PORT = _env.port("HOSTMAIL_SUBMISSIONS_PORT", 2465)
HOSTMAIL_IMAP_PORT = _env.port("HOSTMAIL_IMAP_PORT", 2143)
HOSTMAIL_IMAPS_PORT = _env.port("HOSTMAIL_IMAPS_PORT", 2993)
# For administrators' programs that log in for many, one after the other (RFC 8437 §8: there must be a way to
# do without it, as proxies may count on one login a connection).
HOSTMAIL_IMAP_UNAUTHENTICATE = _env.flag("HOSTMAIL_IMAP_UNAUTHENTICATE")
# Capabilities that programs of some names are not offered: "NAME: IDLE MOVE; OTHER: CONDSTORE".
HOSTMAIL_IMAP_WITHOUT = _env.withheld("HOSTMAIL_IMAP_WITHOUT")
HOSTMAIL_POP3_PORT = _env.port("HOSTMAIL_POP3_PORT", 2110)
HOSTMAIL_POP3S_PORT = _env.port("HOSTMAIL_POP3S_PORT", 2995)
HOSTMAIL_SIEVE_PORT = _env.port("HOSTMAIL_SIEVE_PORT", 4190)
HOSTMAIL_PUBLIC_URL = _env.origin("HOSTMAIL_PUBLIC_URL", f"http://localhost:{HOSTMAIL_HTTP_PORT}")

# --- Mail ---------------------------------------------------------------------------------------

HOSTMAIL_TLS_CERT = _env.file("HOSTMAIL_TLS_CERT") or HOSTMAIL_DATA_DIR / "tls" / "cert.pem"
HOSTMAIL_TLS_KEY = _env.file("HOSTMAIL_TLS_KEY") or HOSTMAIL_DATA_DIR / "tls" / "key.pem"
if bool(_env.raw("HOSTMAIL_TLS_CERT")) != bool(_env.raw("HOSTMAIL_TLS_KEY")):
    _missing = "HOSTMAIL_TLS_KEY" if _env.raw("HOSTMAIL_TLS_CERT") else "HOSTMAIL_TLS_CERT"
    raise BadSetting(_missing, None, "a file in PEM form; certificate and key go together")
HOSTMAIL_DNS_SERVERS = _env.endpoints("HOSTMAIL_DNS_SERVERS", default_port=53)
HOSTMAIL_DNS_VALIDATING = _env.choice("HOSTMAIL_DNS_VALIDATING", ("loopback", "yes", "no"), "loopback")
HOSTMAIL_VERIFY_SENDERS = _env.choice("HOSTMAIL_VERIFY_SENDERS", ("outside", "on", "off"), "outside")
HOSTMAIL_SEND_REPORTS = _env.choice("HOSTMAIL_SEND_REPORTS", ("auto", "off"), "auto")
HOSTMAIL_TRUSTED_SENDERS = _env.networks("HOSTMAIL_TRUSTED_SENDERS")
HOSTMAIL_TRUSTED_SEALERS = _env.hostnames("HOSTMAIL_TRUSTED_SEALERS")
HOSTMAIL_PROXY_PEERS = _env.networks("HOSTMAIL_PROXY_PEERS")
HOSTMAIL_MX_CONNECTIONS = _env.number("HOSTMAIL_MX_CONNECTIONS", 120, low=0, high=10**6)
HOSTMAIL_MX_MESSAGES = _env.number("HOSTMAIL_MX_MESSAGES", 6000, low=0, high=10**9)
HOSTMAIL_MX_RECIPIENTS = _env.number("HOSTMAIL_MX_RECIPIENTS", 20000, low=0, high=10**9)
HOSTMAIL_MX_GUESSES = _env.number("HOSTMAIL_MX_GUESSES", 100, low=0, high=10**6)
HOSTMAIL_MX_BANNER_SECONDS = _env.number("HOSTMAIL_MX_BANNER_SECONDS", 1, low=0, high=30)
HOSTMAIL_DNS_BLOCKLISTS = _env.block_lists("HOSTMAIL_DNS_BLOCKLISTS")
HOSTMAIL_DNS_DOMAIN_BLOCKLISTS = _env.block_lists("HOSTMAIL_DNS_DOMAIN_BLOCKLISTS")
HOSTMAIL_CLAMD = _env.endpoints("HOSTMAIL_CLAMD", default_port=3310)
HOSTMAIL_JUNK_SCORE = _env.number("HOSTMAIL_JUNK_SCORE", 5, low=0, high=1000)
HOSTMAIL_REFUSE_SCORE = _env.number("HOSTMAIL_REFUSE_SCORE", 0, low=0, high=1000)
HOSTMAIL_QUARANTINE_SCORE = _env.number("HOSTMAIL_QUARANTINE_SCORE", 0, low=0, high=1000)
HOSTMAIL_QUARANTINE_DAYS = _env.number("HOSTMAIL_QUARANTINE_DAYS", 30, low=1, high=3650)
HOSTMAIL_OUTBOUND_PORT = _env.port("HOSTMAIL_OUTBOUND_PORT", 25)
HOSTMAIL_OUTBOUND_ADDRESSES = _env.addresses("HOSTMAIL_OUTBOUND_ADDRESSES")
HOSTMAIL_SOURCE_ADDRESSES = _env.source_addresses("HOSTMAIL_SOURCE_ADDRESSES")
HOSTMAIL_SMART_HOST = _env.smart_host("HOSTMAIL_SMART_HOST")
HOSTMAIL_TENANT_RELAYS = _env.flag("HOSTMAIL_TENANT_RELAYS", True)
HOSTMAIL_STORAGE_URL = _env.storage("HOSTMAIL_STORAGE_URL")
HOSTMAIL_SERVICE_DOMAIN = _env.hostname("HOSTMAIL_SERVICE_DOMAIN")
HOSTMAIL_PRIVATE_TARGETS = _env.choice(
    "HOSTMAIL_PRIVATE_TARGETS", ("allow", "refuse"), "allow" if ON_LOOPBACK else "refuse"
)
HOSTMAIL_PLAINTEXT_AUTH = _env.choice("HOSTMAIL_PLAINTEXT_AUTH", ("loopback", "never"), "loopback")
HOSTMAIL_TRUSTED_PROXIES = _env.networks("HOSTMAIL_TRUSTED_PROXIES")
HOSTMAIL_LMTP_SOCKET = _env.text("HOSTMAIL_LMTP_SOCKET")
HOSTMAIL_METRICS_PORT = _env.number("HOSTMAIL_METRICS_PORT", 0, low=1, high=65535)
HOSTMAIL_MAX_MESSAGE = _env.octets("HOSTMAIL_MAX_MESSAGE", "50M")
HOSTMAIL_DEFAULT_QUOTA = _env.octets("HOSTMAIL_DEFAULT_QUOTA", "5G")
# Recipients outside a day; 0: as many as they like.
HOSTMAIL_MAILBOX_RECIPIENTS = _env.number("HOSTMAIL_MAILBOX_RECIPIENTS", 2000, low=0, high=10_000_000)
HOSTMAIL_MAILBOX_FIRST_RECIPIENTS = _env.number(
    "HOSTMAIL_MAILBOX_FIRST_RECIPIENTS", 500, low=0, high=10_000_000
)
HOSTMAIL_TENANT_RECIPIENTS = _env.number("HOSTMAIL_TENANT_RECIPIENTS", 50_000, low=0, high=10_000_000)
HOSTMAIL_TENANT_FIRST_RECIPIENTS = _env.number(
    "HOSTMAIL_TENANT_FIRST_RECIPIENTS", 5000, low=0, high=10_000_000
)
HOSTMAIL_QUEUE_LEASE_SECONDS = _env.number("HOSTMAIL_QUEUE_LEASE_SECONDS", 90, low=2, high=3600)

# --- Secrets ------------------------------------------------------------------------------------

HOSTMAIL_SECRET_KEY = _env.secret("HOSTMAIL_SECRET_KEY") or kept_secret(HOSTMAIL_DATA_DIR / "secret.key")
HOSTMAIL_SECRET_KEY_OLD = [old for old in _env.secret("HOSTMAIL_SECRET_KEY_OLD").split(",") if old]


def _django_key(secret: str) -> str:
    """Derive Django's key, so that a leaked cookie signature says nothing about other uses of the secret."""
    return hmac.digest(secret.encode(), b"hostmail/django", "sha256").hex()


SECRET_KEY = _django_key(HOSTMAIL_SECRET_KEY)
SECRET_KEY_FALLBACKS = [_django_key(old) for old in HOSTMAIL_SECRET_KEY_OLD]

# --- Database -----------------------------------------------------------------------------------

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Connections a process may hold on PostgreSQL: its database threads and two more. `worker` raises it.
HOSTMAIL_DB_POOL = _env.number("HOSTMAIL_DB_POOL", 12, low=2, high=1000)


def _postgres(found: dict[str, Any]) -> dict[str, Any]:
    # A lasting connection per thread leaks under ASGI; a pool with CONN_MAX_AGE=0 does not.
    pool = {"min_size": 1, "max_size": HOSTMAIL_DB_POOL, "timeout": 10}
    options = {"connect_timeout": 5, **found["OPTIONS"], "pool": pool}
    return {**found, "ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0, "OPTIONS": options}


def _sqlite() -> dict[str, Any]:
    # FULL, not NORMAL: what was acknowledged survives a power cut. IMMEDIATE: a reader that turns
    # writer would fail with SQLITE_BUSY at once. mmap is the largest single gain for reading.
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-20000", f"mmap_size={2 << 30}")
    options = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": ";".join(f"PRAGMA {pragma}" for pragma in pragmas),
    }
    name = HOSTMAIL_DATA_DIR / "hostmail.sqlite3"
    return {"ENGINE": "mailcore.sqlite", "NAME": name, "CONN_MAX_AGE": None, "OPTIONS": options}


_found = _env.postgres("DATABASE_URL")
EMBEDDED = _found is None
DATABASES = {"default": _sqlite() if _found is None else _postgres(_found)}
HOSTMAIL_PROCESSES = _env.number(
    "HOSTMAIL_PROCESSES", 1 if EMBEDDED else os.cpu_count() or 1, low=1, high=256
)

# --- Redis: wake-ups, counters, cache; no truth -------------------------------------------------

REDIS_URL = _env.redis("REDIS_URL") or known_url(HOSTMAIL_DATA_DIR)

CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if REDIS_URL:
    CACHES["default"] = {
        "BACKEND": "hostmail.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    }

# Kombu has its own scheme for sockets. Without Redis, `worker` sweeps by itself and nothing is sent.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1) or "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_throttle": 1,
    "health_check_interval": 15,
    "socket_keepalive": True,
    "socket_connect_timeout": 2,
    "global_keyprefix": "celery:",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"

# --- Django -------------------------------------------------------------------------------------

DEBUG = _env.flag("HOSTMAIL_DEBUG")
if DEBUG and not ON_LOOPBACK:
    raise BadSetting("HOSTMAIL_DEBUG", "yes", "`no` while HOSTMAIL_BIND is not a loopback address")
HOSTMAIL_SIGNUP = _env.choice("HOSTMAIL_SIGNUP", ("open", "closed"), "open" if ON_LOOPBACK else "closed")

ROOT_URLCONF = "hostmail.urls"
ASGI_APPLICATION = "hostmail.asgi.application"
WSGI_APPLICATION = "hostmail.wsgi.application"
AUTH_USER_MODEL = "mailcore.User"

# maild and worker answer mail programs and nobody's browser.
HOSTMAIL_SHOWS_PAGES = sys.argv[1:2] not in (["maild"], ["worker"])

INSTALLED_APPS = [
    "hostmail.web",
    "hostmail.webmail",
    "hostmail.api",
    "mailcore",
    "unfold",
    # Its modules are read by who shows them, and by nobody else: they are a fifth of a process.
    "django.contrib.admin" if HOSTMAIL_SHOWS_PAGES else "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    # Last: its admin module takes away pages that other apps register.
    "hostmail",
]

MIDDLEWARE = [
    "hostmail.middleware.Health",
    "hostmail.middleware.RequestId",
    "hostmail.policies.PolicyHosts",
    "hostmail.middleware.ActorAddress",
    "hostmail.middleware.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "hostmail.middleware.MailErrors",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# No collecting step: whitenoise serves what the finders find, and the storage puts a hash in each address.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_MAX_AGE = 0 if DEBUG else 3600
STORAGES = {"staticfiles": {"BACKEND": "hostmail.static.VersionedStorage"}}

# --- Who may sign in ----------------------------------------------------------------------------

PASSWORD_HASHERS = ["mailcore.hashers.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["hostmail.web.signin.AddressBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_ADAPTER = "hostmail.web.signin.Adapter"
ACCOUNT_FORMS = {
    "signup": "hostmail.web.signup.SignupForm",
    "reset_password": "hostmail.web.signin.ResetPasswordForm",
}
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to whatever address a stranger types in
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = urlsplit(HOSTMAIL_PUBLIC_URL).scheme
EMAIL_BACKEND = "hostmail.mail_backend.SystemMail"
DEFAULT_FROM_EMAIL = f"Hostmail <postmaster@{HOSTMAIL_SERVICE_DOMAIN or HOSTMAIL_HOSTNAME}>"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Hostmail"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = ON_LOOPBACK
USERSESSIONS_TRACK_ACTIVITY = False  # a write for every page would be the price

# --- What browsers may do -----------------------------------------------------------------------

_public = urlsplit(HOSTMAIL_PUBLIC_URL)
_https = _public.scheme == "https"
# Links and redirects come from HOSTMAIL_PUBLIC_URL; other names are refused, not believed.
ALLOWED_HOSTS = sorted({str(_public.hostname), HOSTMAIL_HOSTNAME})
if ON_LOOPBACK:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
elif not ipaddress.ip_address(HOSTMAIL_BIND).is_unspecified:
    ALLOWED_HOSTS.append(f"[{HOSTMAIL_BIND}]" if ":" in HOSTMAIL_BIND else HOSTMAIL_BIND)
CSRF_TRUSTED_ORIGINS = [HOSTMAIL_PUBLIC_URL]
CSRF_FAILURE_VIEW = "hostmail.errors.csrf_failed"
# Browsers share cookies between ports of one host; the port in the name keeps two instances apart.
SESSION_COOKIE_NAME = "__Host-session" if _https else f"session_{HOSTMAIL_HTTP_PORT}"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else f"csrf_{HOSTMAIL_HTTP_PORT}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 100
FILE_UPLOAD_TEMP_DIR = None

# --- The API ------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hostmail.api.tokens.BearerToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["hostmail.api.tokens.PerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "hostmail.errors.api_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hostmail API",
    "DESCRIPTION": "Domains, mailboxes, aliases and the outbound queue of an organisation.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "DomainState": "mailcore.models.domain.Domain.State",
        "QueueState": "mailcore.models.queue.QueueEntry.State",
        "TenantState": "mailcore.models.tenant.Tenant.State",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- The staff admin ----------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Hostmail",
    "SITE_HEADER": "Hostmail",
    "SITE_SYMBOL": "mail",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "hostmail.staff.overview.numbers",
}

# --- Logs ---------------------------------------------------------------------------------------

HOSTMAIL_LOG_LEVEL = _env.choice("HOSTMAIL_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
HOSTMAIL_LOG_FORMAT = _env.choice("HOSTMAIL_LOG_FORMAT", ("auto", "json", "text"), "auto")
# Postfix-shaped lines for pflogsumm, fail2ban and the like.
HOSTMAIL_MAIL_LOG = _env.mail_log("HOSTMAIL_MAIL_LOG")
LOGGING = log.configure(
    level=HOSTMAIL_LOG_LEVEL, form=HOSTMAIL_LOG_FORMAT, mail=HOSTMAIL_MAIL_LOG, host=HOSTMAIL_HOSTNAME
)
