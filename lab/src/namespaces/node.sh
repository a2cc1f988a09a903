# node.sh NAME FOLDER ADDRESS...
#
# Becomes pid 1 of a node: runs in new mount, UTS, IPC and PID namespaces and in the node's network
# namespace, gives the node its own root, and ends as its sshd. FOLDER is the lab's. ADDRESSes have
# their prefix length. Everything that is mounted here goes with the namespaces.
set -eu
umask 022
name=$1 lab=$2
shift 2
own=$lab/$name
root=$own/root

# /proc is still the host's, so this is the host's number of this process, with its start time:
# first of all, so that `down` can end what comes after. (Only builtins: a child is another process.)
read -r stat </proc/self/stat
host_pid=${stat%% *}
started() { echo "${20}"; }
echo "$host_pid $(started ${stat##*) })" >"$own/init.partial"
mv "$own/init.partial" "$own/init"
# `down` writes its mark, then reads `init`, then removes the node's folder, then its mark. So either
# it has read `init`, or one of these is seen.
[ ! -e "$lab/down" ]
[ -e "$own/init" ]

echo "$name" >/proc/sys/kernel/hostname
# No way from one lab to another, or out.
echo 0 >/proc/sys/net/ipv4/ip_forward
if [ -d /proc/sys/net/ipv6 ]; then
    echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
    echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
    echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6
    echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra
fi
ip link set lo up
ip link set eth0 up
for address in "$@"; do
    case $address in
    # The address is ours alone: to look for others that have it would only take time.
    *:*) ip -6 address add "$address" dev eth0 nodad ;;
    *) ip address add "$address" dev eth0 ;;
    esac
done

# A disk of its own: it can be full while others are not. An overlay's upper folder may moreover not
# lie on the file system that it covers. Others look for a free loop device at the same moment.
for attempt in 1 2 3 4 5; do
    mount -o loop "$own/disk.img" "$own/disk" && break
    [ "$attempt" -lt 5 ]
    sleep 0.2
done
disk=$own/disk
mkdir -p "$disk/upper" "$disk/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"

# What is the host's alone is covered by empty folders of the node's disk.
for folder in tmp var/tmp root var/lib/perjury; do
    mkdir -p "$disk/own/$folder" "$root/$folder"
    mount --bind "$disk/own/$folder" "$root/$folder"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 700 "$root/root"

mount -t proc proc "$root/proc"
if [ -e "$root/proc/sysrq-trigger" ]; then mount --bind /dev/null "$root/proc/sysrq-trigger"; fi
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/run"
mkdir -p "$root/run/sshd" "$root/run/lock" "$root/run/host"
chmod 1777 "$root/run/lock"

mount -t tmpfs -o mode=755,size=1m,nr_inodes=4096 tmpfs "$root/dev"
cp -a "$lab/dev/." "$root/dev/"
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,size=512m tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

etc=$root/etc
# They may be links to where nothing is now.
rm -f "$etc/hosts" "$etc/hostname" "$etc/resolv.conf" "$etc/motd"
cp "$lab/hosts" "$etc/hosts"
echo "$name" >"$etc/hostname"
echo '# A node knows the names in /etc/hosts only.' >"$etc/resolv.conf"
# sshd lets nobody in whose account is locked, as root's is on some systems.
sed -i 's/^root:[^:]*:/root:*:/' "$etc/shadow"
# Packages that are installed on a node start nothing.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$etc/perjury"
cp "$lab/sshd_config" "$etc/perjury/sshd_config"
cp "$lab/key.pub" "$etc/perjury/authorized_keys"
cp "$own/host_key" "$own/host_key.pub" "$etc/perjury/"
chmod 600 "$etc/perjury/host_key"

cd "$root"
pivot_root . run/host
cd /
umount -l /run/host
rmdir /run/host

set -- /usr/sbin/sshd -D -f /etc/perjury/sshd_config -E /var/log/sshd.log
# sshd 9.8 and later shuts out who failed to log in, and from here everybody has one address.
if /usr/sbin/sshd -t -f /etc/perjury/sshd_config -o PerSourcePenalties=no 2>/dev/null; then
    set -- "$@" -o PerSourcePenalties=no
fi
# Even root of a node cannot set the clock that all share, load a module or open a disk.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-mknod "$@"
