#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# model.sh [deep] [NAME…]: can the explorers and unit tests of the protocol model fail? Each mutant of model.list
# replaces one line of the model; the program it names has to find that, and for the reason it names. Programs pass
# without a mutant, or nothing is shown by their failing.
set -euo pipefail
cd "$(dirname "$0")/../.."
list=tests/mutants/model.list
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
CC=${CC:-cc}
unset CMOCKA_MESSAGE_OUTPUT	# the list has cmocka's own words
flags='-O1 -std=gnu11 -D_GNU_SOURCE= -fno-strict-aliasing -w -Iinclude -Iinclude/uapi -Iqemu -Iqemu/model -I. -Itests'
n=0 failed=0 deep=false
if [ "${1-}" = deep ]; then
	deep=true
	shift
fi
wanted=" $* "

compile() { # compile SOURCE OBJECT
	# shellcheck disable=SC2086
	$CC $flags -c -o "$2" "$1"
}

source_of() { # source_of PROGRAM
	case $1 in
	explore_* | litmus_* | random_*) echo "tests/model/$1.c" ;;
	test_*) echo "tests/unit/$1.c" ;;
	*) echo "$list: no program $1" >&2; return 1 ;;
	esac
}

link() { # link PROGRAM DIR: with the model's objects in DIR instead of the unchanged ones
	local o objects=()
	for o in "$dir"/model/*.o; do
		if [ -f "$2/$(basename "$o")" ]; then objects+=("$2/$(basename "$o")"); else objects+=("$o"); fi
	done
	$CC -o "$2/$1" "$dir/$1.o" "$dir"/test/*.o "${objects[@]}" -lcmocka -lm
}

replace() { # replace FILE OUT AFTER LINE WITH: fails if LINE is not there, or not once
	AFTER=$3 LINE=$4 WITH=$5 awk '
		{ text = $0; sub(/^[ \t]+/, "", text) }
		text == ENVIRON["LINE"] && (ENVIRON["AFTER"] == "" || (behind && !found)) {
			found++
			$0 = ENVIRON["WITH"]
		}
		text == ENVIRON["AFTER"] { behind = 1 }
		{ print }
		END { exit found != 1 }' "$1" >"$2"
}

verdict() { # verdict STATUS TEXT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		tail -n 30 "$dir/out" | sed 's/^/# /'
		failed=1
	fi
}

built=' '
unchanged() { # unchanged PROGRAM ARGS…: passes without a mutant
	local rc=0
	case $built in *" $* "*) return ;; esac
	built="$built$* "
	mkdir -p "$dir/plain"
	compile "$(source_of "$1")" "$dir/$1.o"
	link "$1" "$dir/plain"
	timeout 120 "$dir/plain/$1" "${@:2}" >"$dir/out" 2>&1 || rc=$?
	verdict $rc "$* passes on the model as it is"
}

mutant() { # the record in name, file, after, line, with, by, says
	local m=$dir/mutant rc=0 what run
	read -ra run <<<"$by"
	unchanged "${run[@]}"
	rm -rf "$m"
	mkdir "$m"
	if ! replace "$file" "$m/$(basename "$file")" "$after" "$line" "$with"; then
		echo "$file: not exactly one line: $line" >"$dir/out"
		verdict 1 "$name applies"
		return
	fi
	if ! compile "$m/$(basename "$file")" "$m/$(basename "$file" .c).o" 2>"$dir/out"; then
		verdict 1 "$name compiles"
		return
	fi
	link "${run[0]}" "$m"
	timeout 120 "$m/${run[0]}" "${run[@]:1}" >"$dir/out" 2>&1 || rc=$?
	what=$(grep -E -m1 "$says" "$dir/out" || :)
	[ $rc != 0 ] && [ $rc != 124 ] && [ -n "$what" ] && rc=0 || rc=1
	verdict $rc "$name is caught by $by${what:+: $what}"
}

mkdir "$dir/model"
for f in qemu/model/*.c; do
	compile "$f" "$dir/model/$(basename "$f" .c).o"
done
mkdir "$dir/test"
for f in tests/model/explore.c tests/model/world.c tests/oracle/*.c; do
	compile "$f" "$dir/test/$(basename "$f" .c).o"
done
name='' tier='' file='' after='' line='' with='' by='' says=''
while IFS= read -r text; do
	value=${text#* }
	case $text in
	'' | '#'*) ;;
	'mutant '*) name=${value%% *} tier=${value#"$name"} after='' ;;
	'file '*) file=$value ;;
	'after '*) after=$value ;;
	'line '*) line=$value ;;
	'with '*) with=$value ;;
	'by '*) by=$value ;;
	'says '*)
		says=$value
		case $tier in *deep*) $deep || continue ;; esac
		case $wanted in '  ' | *" $name "*) mutant ;; esac
		;;
	*)
		echo "$list: what is this: $text" >&2
		exit 2
		;;
	esac
done <"$list"
echo "1..$n"
[ $failed = 0 ] && [ $n != 0 ]
