"""Which service may do what to which table: the whole of it, in one table.

Read by `manage.py grant_roles`, which grants exactly this and revokes everything
else.  Nobody but the owner can UPDATE or DELETE a line of the journal; the signing
worker cannot write a policy; validation cannot write an approval.
"""

SELECT, INSERT, UPDATE, DELETE = "SELECT", "INSERT", "UPDATE", "DELETE"

_READ = {SELECT}
_ADD = {SELECT, INSERT}
_KEEP = {SELECT, INSERT, UPDATE}
_ALL = {SELECT, INSERT, UPDATE, DELETE}

GRANTS: dict[str, dict[str, set[str]]] = {
    # table                          service -> privileges
    "tenancy_tenant": {
        "web": _KEEP,
        "signing": _READ,
        "validation": _READ,
        "publishing": _READ,
        "messages": _READ,
        "relay": _READ,
    },
    "access_user": {"web": _KEEP, "messages": _READ},
    "access_membership": {"web": _ALL, "messages": _READ},
    "access_invitation": {"web": _KEEP, "messages": _READ},
    "access_look": {"web": _KEEP, "messages": _READ},
    "access_apitoken": {"web": _KEEP, "messages": _READ},
    "api_firstanswer": {"web": _ALL},
    "audit_auditevent": {
        "web": _ADD,
        "signing": _ADD,
        "validation": _ADD,
        "publishing": _ADD,
        "messages": _ADD,
        "relay": _READ,
    },
    "audit_auditseal": {"web": _READ, "signing": _READ, "messages": _READ, "relay": _ADD},
    "audit_unsealed": {
        "web": {INSERT},
        "signing": {INSERT},
        "validation": {INSERT},
        "publishing": {INSERT},
        "messages": {INSERT},
        "relay": {SELECT, DELETE},
    },
    "audit_auditcheckpoint": {"web": _READ, "signing": _ADD, "messages": _READ, "relay": _READ},
    "audit_journalkey": {"web": _READ, "signing": _READ, "messages": _READ, "relay": _READ},
    "outbox_errand": {
        "web": _ADD | {UPDATE},
        "signing": _KEEP,
        "validation": _KEEP,
        "publishing": _KEEP,
        "messages": _KEEP,
        "relay": {SELECT, INSERT, DELETE},
    },
    "outbox_heartbeat": {
        "web": _READ,
        "signing": _KEEP,
        "validation": _KEEP,
        "publishing": _KEEP,
        "messages": _KEEP,
        "relay": _ALL,
    },
    "auth2fa_challenge": {"web": _KEEP, "signing": _READ},
    "auth2fa_failedsignins": {"web": _ALL},
    "auth2fa_enrolment": {"web": _KEEP},
    "auth2fa_signedin": {"web": _ALL},
    "policies_policy": {"web": _ADD, "signing": _READ, "validation": _READ, "messages": _READ},
    "policies_subscriberagreement": {"web": _ADD, "signing": _READ},
    "policies_agreementacceptance": {"web": _ADD, "signing": _READ},
    "authorities_certificateauthority": {"web": _READ, "signing": _READ, "validation": _READ, "messages": _READ},
    "authorities_certificateprofile": {"web": _ADD, "signing": _READ, "validation": _READ, "messages": _READ},
    "authorities_crlshard": {"signing": _KEEP},
    "validation_caacheck": {"web": _ADD, "signing": _READ, "validation": _KEEP},
    "validation_domain": {"web": _KEEP, "signing": _READ, "validation": _KEEP, "publishing": _READ, "messages": _READ},
    "validation_domaincontrol": {
        "web": _KEEP,
        "signing": _READ,
        "validation": _KEEP,
        "publishing": _READ,
        "messages": _READ,
    },
    "validation_controllook": {"web": _READ, "signing": _READ, "validation": _ADD},
    "validation_caasurvey": {"web": _ADD, "validation": {SELECT, UPDATE}},
    "validation_proofnotice": {"messages": _ADD},
    "validation_publishingway": {"web": _KEEP, "validation": _READ, "publishing": {SELECT, UPDATE}},
    "certificates_certificate": {"web": _ADD, "signing": _ADD, "validation": _READ, "messages": _READ},
    "certificates_certificatekey": {"web": _ADD, "signing": _ADD},
    "certificates_revocation": {"web": _READ, "signing": _ADD},
    "certificates_compromisedkey": {"web": _READ, "signing": _ADD},
    "requests_certificaterequest": {
        "web": _KEEP,
        "signing": {SELECT, UPDATE},
        "validation": {SELECT, UPDATE},
        "messages": _READ,
    },
    "requests_approval": {"web": _ADD, "signing": _READ, "validation": _READ, "messages": _READ},
    "requests_issuanceattempt": {"web": _READ, "signing": _KEEP},
    "requests_notice": {"messages": _ADD},
    "django_migrations": {
        "web": _READ,
        "signing": _READ,
        "validation": _READ,
        "publishing": _READ,
        "messages": _READ,
        "relay": _READ,
    },
}
