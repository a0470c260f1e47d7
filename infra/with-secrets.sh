#!/bin/sh
# Run a command with the secrets it was given as files: each file of SECRETS (/run/secrets) whose name is that of a
# variable becomes that variable, so no secret stands in a compose file, an image or `docker inspect`.
set -eu
for file in "${SECRETS:-/run/secrets}"/*; do
  name=${file##*/}
  case $name in
    *[!A-Z0-9_]* | [!A-Z]*) ;; # not a variable's name: its reader opens the file itself
    *) if [ -f "$file" ]; then export "$name=$(cat "$file")"; fi ;;
  esac
done
mkdir -p "${TMPDIR:-/tmp}"
exec "$@"
