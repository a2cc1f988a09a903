# daemon.sh start PROCESS LOG USER ARGUMENTS... | state PROCESS LOG | processes PROCESS LOG
#           | signal PROCESS LOG SIGNAL
#
# PROCESS is a file with the process id and the start time (field 22 of /proc/PID/stat) of the
# daemon, so that a process that merely got the same number later is never touched.
set -u
action=$1 process=$2 log=$3
shift 3

# The fields of /proc/PID/stat after the program's name, which may contain anything.
fields() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null; }
started() { fields "$1" | cut -d' ' -f20; }
status() { fields "$1" | cut -d' ' -f1; }

# The daemon's process id, if it is alive.
alive() {
    pid='' since=''
    [ -r "$process" ] && read -r pid since <"$process"
    [ -n "$pid" ] && [ "$(started "$pid")" = "$since" ] && [ "$(status "$pid")" != Z ]
}

# The daemon and all its descendants, the daemon first.
family() {
    ps -e -o pid= -o ppid= | awk -v root="$pid" '
        { parent[$1] = $2 }
        END {
            print root
            for (one in parent) {
                above = one
                while (above != root && above in parent) above = parent[above]
                if (above == root && one != root) print one
            }
        }'
}

case $action in
start)
    user=$1
    shift
    if alive; then exit 0; fi
    mkdir -p "$(dirname "$process")" "$(dirname "$log")"
    chmod 755 "$(dirname "$log")"
    cd /
    if [ -n "$user" ]; then
        # Not runuser or su: they stay as parents, and are not the process that was meant.
        set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
    fi
    setsid "$@" </dev/null >>"$log" 2>&1 &
    pid=$!
    since=$(started "$pid")
    echo "$pid $since" >"$process.partial"
    mv "$process.partial" "$process"
    sleep 0.05
    if alive; then exit 0; fi
    echo "it ended at once; the end of its log:" >&2
    tail -n 5 "$log" >&2
    exit 1
    ;;
state)
    if ! alive; then
        echo stopped
    elif [ "$(status "$pid")" = T ] || [ "$(status "$pid")" = t ]; then
        echo paused
    else
        echo running
    fi
    ;;
processes)
    if alive; then family; fi
    ;;
signal)
    if ! alive; then exit 0; fi
    wanted=$1
    # Children that come into being meanwhile are met the second time.
    members=$(family)
    for round in 1 2; do
        for member in $members; do kill -s "$wanted" "$member" 2>/dev/null; done
        if alive; then members=$(family); fi
    done
    case $wanted in KILL | STOP) ;; *) exit 0 ;; esac
    for attempt in $(seq 100); do
        busy=''
        for member in $members; do
            case "$wanted:$(status "$member")" in
            KILL: | KILL:Z | KILL:X | STOP: | STOP:[TtZ]) ;;
            *) busy="$busy $member" ;;
            esac
        done
        [ -z "$busy" ] && exit 0
        sleep 0.05
    done
    echo "processes$busy did not obey SIG$wanted" >&2
    exit 1
    ;;
*)
    echo "expected start, state, processes or signal, found $action" >&2
    exit 64
    ;;
esac
