# groups.sh make CONTROLLER NUMBER LIMIT FILES...    makes the group; daemons of FILES begin within it
#         | place CONTROLLER NUMBER PIDS...         puts processes into it
#         | undo CONTROLLER NUMBER                  puts them back, and removes it
#         | held CONTROLLER any                     how often it was held back, and the memory it has
#         | within CONTROLLER any COMMAND...        runs a command in it
#         | look CONTROLLER any PIDS...             how many processes are limited, and how many not
#
# A control group (version 1 or 2) with a limit, for fault NUMBER. CONTROLLER is cpu (LIMIT in
# microseconds of each 100 ms) or memory (in bytes). A machine has one of each at a time, whatever its
# NUMBER. Where each process was before is written down.
set -u
action=$1 controller=$2 number=$3
shift 3
saved=/var/lib/perjury/run/perjury-group-$controller-$number
own=/run/perjury-cgroup-$controller

# Where the controller is mounted; version 1 first, as only one of the two can have it.
find_base() {
    base=$(awk -v c="$controller" '$3 == "cgroup" && ("," $4 ",") ~ ("," c ",") { print $2; exit }' /proc/mounts)
    version=1
    [ -n "$base" ] && return 0
    version=2
    base=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    grep -qw "$controller" "$base/cgroup.controllers" 2>/dev/null
}

# A machine may have it and not have mounted it.
mount_base() {
    find_base && return 0
    options=$(awk -F: -v c="$controller" '("," $2 ",") ~ ("," c ",") { print $2 }' /proc/self/cgroup)
    mkdir -p "$own"
    mount -t cgroup -o "${options:-$controller}" none "$own" || mount -t cgroup2 none "$own" || return 1
    find_base
}

# The group of process $1 below the base.
group_of() {
    awk -F: -v c="$controller" -v v="$version" \
        '(v == 1 && ("," $2 ",") ~ ("," c ",")) || (v == 2 && $1 == 0) { print $3; exit }' "/proc/$1/cgroup"
}

# Machines that share a kernel share its groups: the name tells them apart.
name=perjury_$(stat -L -c %i /proc/self/ns/pid)_$number

# The group of the fault, if it was made and is there.
find_group() {
    if [ "$number" = any ]; then
        for saved in /var/lib/perjury/run/perjury-group-"$controller"-*[0-9]; do break; done
    fi
    [ -r "$saved" ] && find_base && read -r group <"$saved" && [ -d "$base$group" ]
}

case $action in
make)
    limit=$1
    shift
    mount_base || exit 1
    # Version 2 has no groups below one that has processes, but for the first.
    above=''
    if [ "$version" = 1 ]; then above=$(group_of $$); fi
    group=${above%/}/$name
    mkdir -p "$(dirname "$saved")" "$base$group" || exit 1
    echo "$group" >"$saved.partial"
    mv "$saved.partial" "$saved"
    cd "$base$group" || exit 1
    case $version$controller in
    1cpu) echo 100000 >cpu.cfs_period_us && echo "$limit" >cpu.cfs_quota_us ;;
    2cpu) echo +cpu >"$base/cgroup.subtree_control" && echo "$limit 100000" >cpu.max ;;
    1memory) echo "$limit" >memory.limit_in_bytes ;;
    2memory) echo +memory >"$base/cgroup.subtree_control" && echo "$limit" >memory.max ;;
    esac || exit 1
    for file; do echo "$base$group/cgroup.procs" >>"$file"; done
    ;;
place)
    find_group || {
        echo "the group of fault $number is not there" >&2
        exit 1
    }
    for pid; do
        before=$(group_of "$pid")
        if [ -z "$before" ] || [ "$before" = "$group" ]; then continue; fi
        echo "$pid $before" >>"$saved"
        # One that has ended needs no limit.
        echo "$pid" >"$base$group/cgroup.procs" 2>/dev/null || [ ! -d "/proc/$pid" ] || exit 1
    done
    ;;
held)
    find_group || exit 1
    cd "$base$group" || exit 1
    case $version$controller in
    ?cpu) awk '$1 == "nr_throttled" { print $2, 0 }' cpu.stat ;;
    1memory) echo "$(cat memory.failcnt) $(cat memory.usage_in_bytes)" ;;
    2memory) echo "$(awk '$1 == "max" { print $2 }' memory.events) $(cat memory.current)" ;;
    esac
    ;;
within)
    find_group && echo 0 >"$base$group/cgroup.procs" || exit 1
    exec "$@"
    ;;
undo)
    [ -r "$saved" ] || exit 0
    if find_base; then
        { read -r group; read -r _ first; } <"$saved"
        for file in "$(dirname "$saved")"/*.groups; do
            [ -f "$file" ] || continue
            grep -vxF "$base$group/cgroup.procs" "$file" >"$file.partial"
            if [ -s "$file.partial" ]; then mv "$file.partial" "$file"; else rm -f "$file" "$file.partial"; fi
        done
        for attempt in $(seq 50); do
            for pid in $(cat "$base$group/cgroup.procs" 2>/dev/null); do
                before=$(awk -v pid="$pid" 'NR > 1 && $1 == pid { print $2; exit }' "$saved")
                # One that began within it was in none before, and one's group may be gone.
                for to in "${before:-$first}" "$first" "${group%/*}"; do
                    echo "$pid" >"$base$to/cgroup.procs" 2>/dev/null && break
                done
            done
            [ -d "$base$group" ] || break
            rmdir "$base$group" 2>/dev/null && break
            sleep 0.1
        done
        if [ -d "$base$group" ]; then
            echo "the control group $base$group stays, with $(cat "$base$group/cgroup.procs")" >&2
            exit 1
        fi
    fi
    rm -f "$saved"
    if [ -d "$own" ]; then
        umount "$own" && rmdir "$own"
    fi
    exit 0
    ;;
look)
    limited=0 free=0
    for pid; do
        version=1
        group=$(group_of "$pid")
        version=2
        case "$group $(group_of "$pid")" in
        */perjury_*) limited=$((limited + 1)) ;;
        *) free=$((free + 1)) ;;
        esac
    done
    echo "$limited $free"
    ;;
*)
    echo "expected make, place, undo, held, within or look, found $action" >&2
    exit 64
    ;;
esac
