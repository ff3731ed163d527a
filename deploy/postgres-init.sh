#!/bin/sh
# Run once by the image of PostgreSQL, in an empty database: the owner, who is no superuser, and his two databases.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/pagerd_password)" --username postgres <<'SQL'
CREATE ROLE pagerd LOGIN PASSWORD :'password';
CREATE DATABASE pagerd OWNER pagerd;
CREATE DATABASE pagerd_keys OWNER pagerd;
SQL
