#!/usr/bin/env bash
# Checks deploy/debrief.service: systemd reads it without a complaint, and its exposure is low.
#
#   deploy/systemd.sh            checks the unit
#   deploy/systemd.sh BINARY     also takes calls through the binary under `strace`, and compares the system calls that it
#                                makes with those that the unit allows
#
# It needs Debian's package `systemd`, whose program systemd-analyze works without a running systemd, and `strace` for the
# second form.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unit=debrief.service
# The exposure that `systemd-analyze security` computes, in tenths. The lower, the better; below 2.0 it says "OK".
highest=13

die() {
    echo "deploy/systemd.sh: $*" >&2
    exit 1
}
[ -n "$(command -v systemd-analyze)" ] || die "\`systemd-analyze\` is missing (apt-get install systemd)"

# `verify` wants the program of the unit to exist. The folder stands for the root of the machine where it is installed.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{etc/systemd/system,usr/lib/systemd/system,usr/local/bin}
cp "$unit" "$root/etc/systemd/system/"
cp /bin/true "$root/usr/local/bin/debrief"
for target in network-online multi-user sysinit basic shutdown; do
    printf '[Unit]\nDescription=%s\n' "$target" >"$root/usr/lib/systemd/system/$target.target"
done
for slice in system -; do printf '[Unit]\nDescription=slice\n' >"$root/usr/lib/systemd/system/$slice.slice"; done
complaints=$(systemd-analyze verify --root="$root" --man=no "$root/etc/systemd/system/$unit" 2>&1) || die "systemd cannot read $unit: $complaints"
complaints=$(grep "$unit" <<<"$complaints" || true)
[ -z "$complaints" ] || die "$complaints"
# A check that lets everything pass would say nothing.
sed -i 's/^ProtectSystem=strict/ProtectSystm=strict/' "$root/etc/systemd/system/$unit"
systemd-analyze verify --root="$root" --man=no "$root/etc/systemd/system/$unit" 2>&1 | grep -q ProtectSystm ||
    die "verify lets a setting pass that does not exist"

table=$(systemd-analyze security --offline=true --no-pager "$unit")
said=$(tail -n 1 <<<"$table")
score=$(grep -oE '[0-9]+\.[0-9]' <<<"$said" | head -1)
[ -n "$score" ] || die "systemd-analyze says no exposure: $said"
[ "${score/./}" -le "$highest" ] || die "the exposure is $score, and it was at most $((highest / 10)).$((highest % 10)): ${said}"
echo "systemd-analyze verify: ok"
echo "systemd-analyze security: ${said#→ }"
# What is left, with its weight.
grep '✗' <<<"$table" || true

[ $# -gt 0 ] || exit 0
[ -n "$(command -v strace)" ] || die "\`strace\` is missing (apt-get install strace)"
binary=$(realpath "$1")

# members SET: prints the system calls of a set, and of the sets inside it.
members() {
    local name
    systemd-analyze syscall-filter "$1" | sed -n '2,$p' | sed 's/#.*//' | tr -s ' \n' '\n' | while read -r name; do
        case $name in
        '') ;;
        @*) members "$name" ;;
        *) echo "$name" ;;
        esac
    done
}
allowed=$root/allowed
refused=$root/refused
: >"$refused"
: >"$allowed"
while read -r words; do
    list=$allowed
    case $words in '~'*) list=$refused words=${words#\~} ;; esac
    for word in $words; do members "$word" >>"$list"; done
done < <(sed -n 's/^SystemCallFilter=//p' "$unit")
[ -s "$allowed" ] && [ -s "$refused" ] || die "the filter of $unit cannot be read"

# The demo sends calls of each kind through all stages, with listeners, providers, both databases and blobs. It runs as an
# ordinary user, as the service does: SQLite gives files away where it is root.
mkdir "$root/data"
cp "$binary" "$root/debrief"
as_user=()
if [ "$(id -u)" = 0 ]; then
    chmod 0755 "$root"
    chown nobody "$root/data"
    as_user=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
(cd "$root/data" && PORT=0 "${as_user[@]}" timeout 300 strace -f -qq -o "$root/data/trace" "$root/debrief" demo --once) \
    >"$root/demo.log" 2>&1 || { tail -n 20 "$root/demo.log" >&2; die "the demo does not end well under strace"; }
grep -oE '^[0-9]+ +[a-z_0-9]+\(' "$root/data/trace" | sed -E 's/^[0-9]+ +//; s/\($//' | sort -u >"$root/made"
not_allowed=$(comm -23 "$root/made" <(sort -u "$allowed" | comm -23 - <(sort -u "$refused")))
[ -z "$not_allowed" ] || die "the unit refuses system calls that Debrief makes: $(tr '\n' ' ' <<<"$not_allowed")"
echo "system calls: $(wc -l <"$root/made") were made, and the unit allows all of them"
