# install_packages.sh PROGRAM PACKAGE...
#
# Installs Debian's packages unless the program is there. Ends with 69 if there is no apt-get.
set -eu
program=$1
shift
if command -v "$program" >/dev/null; then exit 0; fi
if ! command -v apt-get >/dev/null; then exit 69; fi

# Perjury starts the store itself, with a configuration of its own. Only a policy that was put here
# is taken away again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
command -v "$program" >/dev/null || {
    echo "the packages $* bring no $program" >&2
    exit 1
}
