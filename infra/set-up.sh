#!/bin/sh
# Make a Prefect server ready for dubflow; safe to repeat, and run again for every new course or version.
#   set-up.sh database          bring the database's schema to the installed version
#   set-up.sh pools TYPE        make or renew the pools `courses`, `cpu` and `gpu`: `process`, or `kubernetes` from pools/*.json
#                               with images from IMAGES (dubflow: those of this machine; registry.example.org/dubflow)
#   set-up.sh courses [FILE…]   register these manifests; without any, nothing
set -eu
here=$(dirname "$0")
task=${1:-}
shift || true
case $task in
  database) exec prefect --no-prompt server database upgrade --yes ;;
  pools)
    for pool in courses cpu gpu; do
      if [ "${1:?the type of the pools}" = kubernetes ]; then
        template=$(mktemp)
        sed "s|\"dubflow/|\"${IMAGES:-dubflow}/|" "${POOLS:-$here/kubernetes/pools}/$pool.json" >"$template"
        prefect --no-prompt work-pool create "$pool" --type kubernetes --overwrite --base-job-template "$template"
      else
        prefect --no-prompt work-pool create "$pool" --type "$1" --overwrite
      fi
    done
    ;;
  courses) [ $# -eq 0 ] || exec dub deploy "$@" ;;
  *)
    echo "set-up.sh: database, pools TYPE or courses [FILE…]" >&2
    exit 2
    ;;
esac
