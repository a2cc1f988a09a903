# volume.sh make IMAGE DATA MIB | state IMAGE DATA | shutdown IMAGE DATA | thaw IMAGE DATA
#           | remount IMAGE DATA | remove IMAGE DATA
#
# IMAGE is a file with a file system, mounted at DATA. IMAGE.none says why there is none.
# `.volume` on it can be read exactly while the file system does its work; to look at it writes
# nothing, and does not wait where the file system is frozen.
set -u
export LC_ALL=C
action=$1
if [ "$action" = make ]; then mkdir -p "$3"; fi
# As the kernel names them, where a folder above is a link.
real() { readlink -f "$1" || echo "$1"; }
image=$(real "$2") data=$(real "$3")
reason=$image.none

# A field of the line of /proc/mounts for the folder: 1 is the device, 4 are the options.
mounted() { awk -v data="$data" -v field="$1" '$2 == data { it = $field } END { print it }' /proc/mounts; }

# Whether it is our file that is mounted, and nothing else: without a volume the folder is part of
# the machine's own file system, which nothing here may ever be done to.
is_mounted() {
    device=$(mounted 1)
    [ "$(cat "/sys/block/${device#/dev/}/loop/backing_file" 2>/dev/null)" = "$image" ]
}

state() {
    if is_mounted; then
        options=$(mounted 4)
        case $(cat "$data/.volume" 2>&1),$options, in
        *'Input/output error',*) echo shut-down ;;
        *,ro,*) echo read-only ;;
        *) echo mounted ;;
        esac
    elif [ -f "$image" ]; then
        echo unmounted
    elif [ -f "$reason" ]; then
        echo "none $(cat "$reason")"
    else
        echo absent
    fi
}

# A free loop device may be taken by somebody else between being found and being used.
mount_it() {
    for attempt in 1 2 3 4 5; do
        said=$(mount -o loop "$image" "$data" 2>&1) && return 0
        sleep 0.2
    done
    echo "mount -o loop: $said" >&2
    return 1
}

# What was killed just now may still have files open.
unmount_it() {
    is_mounted || return 0
    # A frozen one is never let go of.
    fsfreeze -u "$data" 2>/dev/null
    for attempt in $(seq 100); do
        said=$(umount "$data" 2>&1) && return 0
        sleep 0.1
    done
    echo "$said; processes that use it: $(fuser -m "$data" 2>/dev/null)" >&2
    return 1
}

case $action in
make)
    mib=$4
    if [ "$(state)" != mounted ]; then unmount_it || exit 1; fi
    if [ -f "$image" ] && [ "$(stat -c %s "$image")" -ne $((mib << 20)) ]; then
        unmount_it || exit 1
        rm -f "$image"
    fi
    rm -f "$reason"
    if [ ! -f "$image" ]; then
        # Nothing but a whole file system gets the name.
        said=$({ truncate -s "${mib}M" "$image.partial" &&
            mkfs.ext4 -q -F -m 0 -E nodiscard "$image.partial" &&
            mv "$image.partial" "$image"; } 2>&1)
    fi
    if [ -n "$(mounted 1)" ] && ! is_mounted; then
        said="$(mounted 1) is mounted at $data"
    elif [ -f "$image" ] && ! is_mounted; then
        said=$(mount_it 2>&1)
    fi
    if is_mounted; then
        chmod 755 "$data"
        if [ ! -f "$data/.volume" ]; then echo perjury >"$data/.volume"; fi
        sync -f "$data"
    else
        rm -f "$image" "$image.partial"
        echo "$said" | tr '\n' ' ' >"$reason"
    fi
    state
    ;;
state)
    state
    ;;
shutdown)
    # Without `-f`: what is not on the disk yet is never written.
    case $(state) in
    shut-down) ;;
    mounted | read-only) xfs_io -x -c shutdown "$data" ;;
    *)
        echo "no volume is mounted at $data: $(state)" >&2
        exit 1
        ;;
    esac
    ;;
thaw)
    if is_mounted; then fsfreeze -u "$data" 2>/dev/null; fi
    exit 0
    ;;
remount)
    case $(state) in
    mounted | none*) ;;
    absent)
        echo "there is no volume at $image" >&2
        exit 1
        ;;
    *) unmount_it && mount_it ;;
    esac
    ;;
remove)
    unmount_it || exit 1
    rm -f "$image" "$image.partial" "$reason"
    ;;
*)
    echo "expected make, state, shutdown, thaw, remount or remove, found $action" >&2
    exit 64
    ;;
esac
