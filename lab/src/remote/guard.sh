mark=$1 who=$2
shift 2
tell() {
    printf '\036%s %s\036' "$mark" "$1"
    printf '\036%s %s\036' "$mark" "$1" >&2
}
refuse() {
    printf '%s' "$1" >&2
    tell refused
    exit
}
tell begin
secret=
if [ "$who" = password ]; then IFS= read -r secret; fi
if [ "$who" != user ] && [ "$(id -u)" = 0 ]; then who=user; fi
if [ "$who" = user ]; then
    "$@"
elif [ "$who" = root ]; then
    refuse 'the settings allow no sudo'
elif ! command -v sudo >/dev/null; then
    refuse 'there is no sudo'
elif said=$(sudo -n true 2>&1 </dev/null); then
    sudo -n -- "$@"
elif [ "$who" = sudo ]; then
    refuse "$said"
elif said=$(printf '%s\n' "$secret" | sudo -S -k -p '' true 2>&1); then
    { printf '%s\n' "$secret"; exec cat; } | sudo -S -k -p '' -- "$@"
else
    refuse "$said"
fi
tell "status $?"
