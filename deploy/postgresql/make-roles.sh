#!/bin/sh
# Makes the roles and the database of docs/operations.md, once, in an empty cluster.  The passwords are those in the
# addresses that the services have (deploy/make-secrets), which are hexadecimal digits.
set -eu
secrets=${SECRETS:-/run/secrets}
for service in owner web signing validation publishing messages relay; do
    password=$(sed 's|^postgresql://[^:]*:\([0-9a-f]*\)@.*|\1|' "$secrets/database_url_$service")
    # psql reads it from its input, since an argument shows in every list of processes
    psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<SQL
CREATE ROLE portal_$service LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '$password';
SQL
done
psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<SQL
CREATE DATABASE portal OWNER portal_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE portal FROM PUBLIC;
GRANT CONNECT ON DATABASE portal
   TO portal_web, portal_signing, portal_validation, portal_publishing, portal_messages, portal_relay;
SQL
