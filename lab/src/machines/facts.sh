# facts.sh FOLDER
#
# Says what this machine is and can do, as lines NAME=VALUE. What it can do is `yes`, or `no` and
# why. Everything is tried for real, on things of its own that it removes again. FOLDER will hold
# what is ours.
set -u
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
folder=$1
# Numbers of processes make names that nobody else uses at the moment.
chain=PERJURY_$$ link=pj$$

say() { printf '%s=%s\n' "$1" "$2"; }
try() {
    name=$1
    shift
    if said=$("$@" 2>&1); then
        say "$name" yes
    else
        say "$name" "no $(printf %s "$said" | tr '\n' ' ')"
        return 1
    fi
}
has() {
    command -v "$1" >/dev/null || {
        echo "$1 is not installed"
        return 1
    }
}

# Only checks whether the kernel would take it.
try_nft() {
    has nft || return 1
    nft -c -f - <<END
table inet perjury_trial {
    chain input {
        type filter hook input priority -200
        ip saddr 192.0.2.1 drop
    }
}
END
}

# In a chain of its own that no packet ever comes to.
with_chain() {
    has iptables || return 1
    iptables -w 5 -N "$chain" || return 1
    iptables -w 5 -A "$chain" "$@"
    tried=$?
    iptables -w 5 -F "$chain"
    iptables -w 5 -X "$chain"
    return $tried
}
try_iptables() { with_chain -s 192.0.2.1 -j DROP; }
try_nfqueue() { with_chain -s 192.0.2.1 -j NFQUEUE --queue-num 1 --queue-bypass; }

# On a link that leads nowhere.
try_netem() {
    has tc && has ip || return 1
    for kind in dummy ifb bridge; do
        ip link add "$link" type $kind 2>/dev/null && break
    done
    tc qdisc add dev "$link" root netem delay 1ms
    tried=$?
    ip link delete "$link"
    return $tried
}

try_loop() {
    has losetup && has mkfs.ext4 || return 1
    losetup -f
}
try_shutdown() { has xfs_io; }
try_freeze() { has fsfreeze; }

say clock "$(date +%s%N)"
say boot-id "$(cat /proc/sys/kernel/random/boot_id)"
say kernel "$(uname -r)"
say architecture "$(uname -m)"
for manager in apt-get dnf yum zypper apk pacman; do
    if command -v $manager >/dev/null; then
        say package-manager $manager
        break
    fi
done
say clock-source "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource 2>/dev/null)"
for service in chrony chronyd systemd-timesyncd ntp ntpd ntpsec openntpd; do
    if systemctl is-active --quiet $service 2>/dev/null; then
        say time-service $service
        break
    fi
done
existing=$folder
while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
say free-mib "$(df -Pk "$existing" | awk 'NR == 2 { print int($4 / 1024) }')"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    say cgroup "2 $(cat /sys/fs/cgroup/cgroup.controllers)"
else
    # Name, hierarchy (0 where version 2 has it), number of groups, enabled.
    awk '!/^#/ && $4 == 1 {
            if ($2 > 0) first = first " " $1
            else second = second " " $1
        }
        END { print "cgroup=" (first != "" ? "1" first : "2" second) }' /proc/cgroups
fi
# iptables may leave an empty table behind, so it is tried only where it would be used.
try nft try_nft || try iptables try_iptables
try netem try_netem || try nfqueue try_nfqueue
try loop try_loop
try shutdown try_shutdown
try freeze try_freeze
