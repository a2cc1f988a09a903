# daemon.sh start PROCESS LOG USER GROUPS ARGUMENTS... | state PROCESS LOG | processes PROCESS LOG
#           | signal PROCESS LOG SIGNAL | words PROCESS LOG
#
# PROCESS is a file with the process id and the start time (field 22 of /proc/PID/stat) of the
# daemon, so that a process that merely got the same number later is never touched. GROUPS is a file
# that names the control groups in which it begins, or is not there.
set -u
action=$1 process=$2 log=$3
shift 3

# The fields of /proc/PID/stat after the program's name, which may contain anything.
fields() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null; }
started() { fields "$1" | cut -d' ' -f20; }
status() { fields "$1" | cut -d' ' -f1; }
# Whether a process has let go of all it had. Its first thread may be dead while others still end,
# and hold its ports.
gone() {
    case $(fields "$1" | cut -d' ' -f1,18) in '' | 'Z '[01] | 'X '*) ;; *) return 1 ;; esac
}

# The daemon's process id, if it is alive.
alive() {
    pid='' since=''
    [ -r "$process" ] && read -r pid since <"$process"
    [ -n "$pid" ] && [ "$(started "$pid")" = "$since" ] && ! gone "$pid"
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
    user=$1 groups=$2
    shift 2
    if alive; then exit 0; fi
    mkdir -p "$(dirname "$process")" "$(dirname "$log")"
    chmod 755 "$(dirname "$log")"
    cd /
    if [ -n "$user" ]; then
        # Not runuser or su: they stay as parents, and are not the process that was meant.
        set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
    fi
    (
        if [ -r "$groups" ]; then
            # 0 is who writes it.
            while read -r members; do echo 0 >"$members"; done <"$groups"
        fi
        exec setsid "$@" </dev/null >>"$log" 2>&1
    ) &
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
words)
    # Of one that runs they are not the last.
    if alive || [ ! -f "$process" ]; then exit 0; fi
    said=$(tail -n 5 "$log")
    echo "${said:-it said nothing}"
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
            STOP: | STOP:[TtZ]) ;;
            *) gone "$member" || busy="$busy $member" ;;
            esac
        done
        [ -z "$busy" ] && exit 0
        sleep 0.05
    done
    echo "processes$busy did not obey SIG$wanted" >&2
    exit 1
    ;;
*)
    echo "expected start, state, processes, signal or words, found $action" >&2
    exit 64
    ;;
esac
