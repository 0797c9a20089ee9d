#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: the command sees itmefs at the original paths, nobody else does.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

refuses "run without a mount" 125 "mount -t itmefs" run -- true
mount_itme dram=32M || fail "mount"
model a 6
a=$model
sum=$(sha256sum <"$a")

ctl run --import "$a" -- sh -c "sha256sum <'$a'; stat -f -c %t '$a'; grep -c itmefs /proc/self/mounts"
is "run: exit status 0" "$status" 0
is "run: silent" "$err" ""
is "run: the data is the original's" "$(sed -n 1p <<<"$out")" "$sum"
is "run: the path leads to itmefs" "$(sed -n 2p <<<"$out")" 49544d45
is "run: one bind beside the mount" "$(sed -n 3p <<<"$out")" 2
is "outside, the path does not" "$(stat -f -c %T "$a")" ext2/ext3
is "outside, no mount came" "$(grep -c itmefs /proc/self/mounts)" 1
succeeds "residency after run" residency cli.a --json
json_is "the command's reads brought it in" 'd["dram"]' $((6 * mib))
ctl run --import "$a" -- sha256sum "$a"
is "run --import again is no error" "$status:$err" "0:"
ctl run -- sha256sum "$a"
is "run without --import" "$status:${out%% *}" "0:${sum%% *}"

ctl run -- sh -c 'exit 42'
is "exit status of the command" "$status" 42
ctl run -- sh -c 'kill -9 $$'
is "a killed command" "$status" 137
ctl run -- "$dir/none"
is "a command that is not there" "$status" 127
ctl run -- /etc/passwd
is "a file that is no command" "$status" 126
refuses "run of nothing" 125 "no command" run
refuses "run with an unknown option" 125 "bogus" run --bogus -- true
refuses "run --import of nothing" 125 "no such file" run --import "$lower/cli.none" -- true
refuses "run as nobody there is" 125 "no user" run --user "no such user" -- true
ctl run printf '%s ' --json -m x -- -n
is "without --, the command's options are its own" "$out" "--json -m x -- -n "
ctl run -- printf '%s ' --help --json
is "after --, too" "$out" "--help --json "
ctl run --user 65534:65534 -- id -u
is "run --user" "$out" 65534
ctl run -- sh -c "'$itmectl' run -- sha256sum '$a'"
is "run in a run" "$status:$err:${out%% *}" "0::${sum%% *}"

# Paths as people have them.
ln -s "$a" "$lower/cli.link"
ctl run -- sh -c "stat -L -f -c %t '$lower/cli.link'; cd '$lower' && stat -f -c %t cli.a"
is "by a link, and relative" "$out" 49544d45$'\n'49544d45
model "with space" 1
spaced=$model
ctl run --import "$spaced" -- cmp "$spaced" "$dir/mnt/cli.with space"
is "a name with a space" "$status:$err" "0:"

# Mappings made inside live on after a remove; the namespace ends with the command.
ctl run -- sh -c "exec 9<'$a'; '$itmectl' remove cli.a; sha256sum <&9"
is "removed while open: the data stays" "$status:$out" "0:$sum"

# Replaced and deleted lower files are left alone.
ctl import "$a"
cp "$a" "$lower/cli.new"
printf x | dd of="$lower/cli.new" conv=notrunc status=none
mv "$lower/cli.new" "$a"
ctl run -- stat -f -c %T "$a"
is "replaced: a warning" "$(grep -c 'another file now' <<<"$err")" 1
is "replaced: the new file is seen" "$status:$out" "0:ext2/ext3"
rm "$spaced"
ctl remove cli.a
ctl run -- true
is "deleted: a warning" "$status:$(grep -c 'has been deleted' <<<"$err")" 0:1

succeeds "remove" remove "cli.with space"
ctl run -- true
is "nothing imported: a warning" "$status:$(grep -c 'nothing is imported' <<<"$err")" 0:1
check "umount: no namespace is left behind" umount "$dir/mnt"
check "rmmod" rmmod itme
finished
