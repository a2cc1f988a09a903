# groups.sh apply CONTROLLER NUMBER LIMIT PIDS... | undo CONTROLLER NUMBER | look CONTROLLER NUMBER PIDS...
#
# A control group (version 1 or 2) with a limit, for fault NUMBER. CONTROLLER is cpu (LIMIT in
# microseconds of each 100 ms) or memory (in bytes). Where each process was before is written down.
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

case $action in
apply)
    limit=$1
    shift
    mount_base || exit 1
    # Version 2 has no groups below one that has processes, but for the first.
    above=''
    if [ "$version" = 1 ]; then above=$(group_of "$1"); fi
    group=${above%/}/$name
    mkdir -p "$(dirname "$saved")" "$base$group" || exit 1
    echo "$group" >"$saved.partial"
    for pid; do echo "$pid $(group_of "$pid")" >>"$saved.partial"; done
    mv "$saved.partial" "$saved"
    cd "$base$group" || exit 1
    case $version$controller in
    1cpu) echo 100000 >cpu.cfs_period_us && echo "$limit" >cpu.cfs_quota_us ;;
    2cpu) echo +cpu >"$base/cgroup.subtree_control" && echo "$limit 100000" >cpu.max ;;
    1memory) echo "$limit" >memory.limit_in_bytes ;;
    2memory) echo +memory >"$base/cgroup.subtree_control" && echo "$limit" >memory.max ;;
    esac || exit 1
    for pid; do
        # One that has ended needs no limit.
        echo "$pid" >cgroup.procs 2>/dev/null || [ ! -d "/proc/$pid" ] || exit 1
    done
    ;;
undo)
    [ -r "$saved" ] || exit 0
    if find_base; then
        { read -r group; read -r _ first; } <"$saved"
        for attempt in $(seq 50); do
            for pid in $(cat "$base$group/cgroup.procs" 2>/dev/null); do
                before=$(awk -v pid="$pid" 'NR > 1 && $1 == pid { print $2 }' "$saved")
                echo "$pid" >"$base${before:-$first}/cgroup.procs" 2>/dev/null
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
    echo "expected apply, undo or look, found $action" >&2
    exit 64
    ;;
esac
