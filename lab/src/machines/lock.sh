# lock.sh FILE OWNER PATIENCE SILENCE
#
# Holds FILE for OWNER, says `held`, and lets go at the end of standard input, or when nothing was
# heard on it for SILENCE seconds. Ends with status 75, and says who has it, if others hold it for
# PATIENCE seconds. The kernel lets go of it when this process ends, however it ends.
set -u
file=$1 owner=$2 patience=$3 silence=$4
# Whoever would hear it may be gone.
trap '' HUP PIPE
command -v flock >/dev/null || {
    echo 'there is no flock; install util-linux' >&2
    exit 1
}
while :; do
    exec 9>>"$file" || exit 1
    flock -w "$patience" 9 || {
        cat "$file"
        exit 75
    }
    # Whoever had it has removed the file, and somebody may have made another.
    [ "$(stat -L -c %i /proc/self/fd/9)" = "$(stat -c %i "$file" 2>/dev/null)" ] && break
done
echo "$owner since $(date -u '+%F %T') UTC" >"$file" || exit 1
echo held
while [ -n "$(exec 9>&-; timeout "$silence" head -c 1)" ]; do :; done
rm -f "$file"
