#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# bash completion: verbs, options, names; a hostile name is a word and nothing else.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

lib=/usr/share/bash-completion/bash_completion
if [ ! -r $lib ]; then
	skip "bash completion" "$lib is not there"
	finished
fi
# shellcheck source=/dev/null
. $lib
# shellcheck source=tools/completion/itmectl
. "$top/tools/completion/itmectl"
PATH=$(dirname "$(command -v "$itmectl")"):$PATH

# offered WORD...: what is offered for the last word.
offered() {
	COMP_WORDS=(itmectl "$@")
	COMP_CWORD=$#
	COMP_LINE="itmectl $*"
	COMP_POINT=${#COMP_LINE}
	COMPREPLY=()
	_itmectl 2>/dev/null
	echo "${COMPREPLY[*]}"
}

mount_itme dram=16M || fail "mount"
cd "$dir" || exit
# shellcheck disable=SC2016 # that it is not expanded is what is tested
hostile='$(touch owned)'
for name in alpha 'be ta' "$hostile"; do
	model "$RANDOM" 1
	ctl import "$model" --name "$name"
done
is "verbs" "$(offered '')" "tier swap import remove list residency advise model plan run stat status monitor top holders doctor"
is "a verb" "$(offered res)" residency
is "advices" "$(offered advise p)" "pageout pin"
is "tiers" "$(offered tier set '')" "dram cxl"
is "verbs of swap" "$(offered swap '')" "add remove list"
is "options of swap add" "$(offered swap add --c)" "--check"
is "verbs of plan" "$(offered plan s)" "set save show step"
ctl plan set --once alpha --name decode
is "plans" "$(offered plan show '')" "$out decode"
is "names after plan set" "$(offered plan set --cyclic al)" alpha
is "events" "$(offered monitor --filter st)" "stage stall"
is "options" "$(offered residency --m)" "--mount --map"
is "a tier of advise" "$(offered advise pin alpha --tier c)" cxl
is "names" "$(offered residency al)" alpha
is "names after the advice" "$(offered advise pin b)" 'be\ ta'
is "hostile names are quoted" "$(offered stat '\$')" "$(printf %q "$hostile")"
offered remove "" >/dev/null
is "and not run" "$(find . -name owned)" ""
is "options before the verb" "$(offered --json --mount /mnt tier l)" list
check "umount" umount "$dir/mnt"
finished
