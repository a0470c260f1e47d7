#!/usr/bin/env bash
# Make the secrets that compose.yaml reads: drawn once, into infra/secrets/, which no version control sees.
# Safe to repeat: what is there stays. Give another folder to write elsewhere.
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
# The folder is closed to others; the files in it are not, since containers read them under numbers of their own.
install --directory --mode=0700 "$folder"
cd "$folder"

drawn() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
once() { # NAME TEXT: a file that is there keeps its text
  [ -e "$1" ] || { (umask 022 && printf '%s' "$2" >"$1.new") && mv "$1.new" "$1"; }
}

for name in postgres_password redis_password operator_password s3_key s3_secret; do once "$name" "$(drawn)"; done
postgres=$(cat postgres_password) redis=$(cat redis_password) operator=$(cat operator_password)
key=$(cat s3_key) secret=$(cat s3_secret)

once prefect_database "postgresql+asyncpg://dubflow:$postgres@postgres:5432/prefect"
once dub_ledger "postgresql+psycopg://dubflow:$postgres@postgres:5432/dubflow"
once redis_conf "requirepass $redis"
once redis_messages "redis://:$redis@redis:6379/0"
once redis_docket "redis://:$redis@redis:6379/1"
once prefect_auth "operator:$operator"
once s3_config "{\"identities\": [{\"name\": \"dubflow\", \"credentials\": [{\"accessKey\": \"$key\", \"secretKey\": \"$secret\"}], \"actions\": [\"Admin\"]}]}"
once aws_credentials "[default]
aws_access_key_id = $key
aws_secret_access_key = $secret
"
