# control.sh ACTION PROGRAMS FOLDER DATA ...
#
#   erase                    nothing of an earlier run is left; what is written to FOLDER is private
#   own                      FOLDER's files belong to the server's user
#   create CHECKSUMS         a new primary; standard input has what it holds at first
#   copy FROM                a standby: a copy of the node that FROM leads to
#   rewind FROM              a stopped node's log becomes that of FROM; it is a standby then
#   standby                  it is a standby when it is started next
#   stop                     an orderly end, if it comes to one within seconds
#   role                     says empty, standby, or the timeline of a primary
#   claim TIMELINES          the timelines from 2 to TIMELINES are taken, wherever they are
set -eu
action=$1 programs=$2 folder=$3 data=$4
shift 4

as_postgres() {
    cd /
    PGPASSFILE=$folder/passfile setpriv --reuid postgres --regid postgres --init-groups "$@"
}

case $action in
erase)
    rm -rf "$data" "$data.partial" "$folder"
    install -d -o postgres -g postgres -m 700 "$folder"
    ;;
own)
    chown -R postgres:postgres "$folder"
    chmod 600 "$folder"/*
    ;;
create)
    install -d -o postgres -g postgres -m 700 "$data"
    checksums=''
    [ "$1" = yes ] && checksums=--data-checksums
    as_postgres "$programs/initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 -A scram-sha-256 \
        --pwfile="$folder/pwfile" $checksums >&2
    as_postgres "$programs/postgres" --single -j -D "$data" postgres >&2
    ;;
copy)
    rm -rf "$data.partial" "$data"
    install -d -o postgres -g postgres -m 700 "$data.partial"
    as_postgres "$programs/pg_basebackup" -D "$data.partial" -d "$1" -X stream -c fast >&2
    as_postgres touch "$data.partial/standby.signal"
    mv "$data.partial" "$data"
    ;;
rewind)
    as_postgres "$programs/pg_rewind" -D "$data" --config-file="$folder/postgresql.conf" \
        --source-server="$1" >&2
    as_postgres touch "$data/standby.signal"
    ;;
standby)
    as_postgres touch "$data/standby.signal"
    ;;
stop)
    as_postgres "$programs/pg_ctl" -D "$data" -m fast -t 5 -w stop >&2
    ;;
role)
    if [ ! -e "$data/PG_VERSION" ]; then
        echo empty
    elif [ -e "$data/standby.signal" ]; then
        echo standby
    else
        LC_ALL=C "$programs/pg_controldata" -D "$data" |
            sed -n "s/^Latest checkpoint's TimeLineID: *//p"
    fi
    ;;
claim)
    for timeline in $(seq 2 "$1"); do
        file=$data/pg_wal/$(printf %08X "$timeline").history
        # With a comment alone it is nobody's ancestor, and is not followed.
        [ -e "$file" ] || as_postgres sh -c 'echo "# taken by another node" >"$1"' sh "$file"
    done
    ;;
*)
    echo "unknown action $action" >&2
    exit 64
    ;;
esac
