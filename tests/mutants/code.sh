#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# code.sh model|engine [deep] [NAME…]: can the explorers and unit tests fail? Each mutant of the list replaces one line
# of the protocol model or the engine; the program it names has to find that, and for the reason it names. Programs
# pass without a mutant, or nothing is shown by their failing.
#
# All but the file that a mutant is in comes from the library as make builds it: an object that is linked goes before the
# one of the same names in an archive. As many at once as there are CPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
list=tests/mutants/${1-}.list build=${HSL_BUILD:-build}
[ -f "$list" ] || { echo "usage: tests/mutants/code.sh model|engine [deep] [NAME...]" >&2; exit 2; }
shift
deep=false failed=0
if [ "${1-}" = deep ]; then
	deep=true
	shift
fi
wanted=" $* "
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
CC=${CC:-cc}
unset CMOCKA_MESSAGE_OUTPUT	# the lists have cmocka's own words
flags='-O1 -std=gnu11 -D_GNU_SOURCE= -fno-strict-aliasing -w -pthread -Iinclude -Iinclude/uapi -Iqemu -Iqemu/engine'
flags+=' -Iqemu/model -I. -Itests -DFAKE_WAIT_MS=5000'

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

link() { # link PROGRAM OUT [OBJECT]: with a mutant's object
	$CC -pthread -o "$2" "$dir/$1.o" ${3+"$3"} "$build/libcommon.a" "$build/libhsl.a" -lcmocka -lm
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

verdict() { # verdict STATUS TEXT OUTPUT
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		tail -n 30 "$3" | sed 's/^/# /'
	fi
}

program() { # program NAME: its object and, without a mutant, itself
	compile "$(source_of "$1")" "$dir/$1.o" && link "$1" "$dir/$1"
}

unchanged() { # unchanged NUMBER PROGRAM ARGS…
	local rc=0
	timeout 300 "$dir/$2" "${@:3}" >"$dir/$1.out" 2>&1 || rc=$?
	verdict $rc "${*:2} passes on the sources as they are" "$dir/$1.out"
}

mutant() { # mutant NUMBER, and the record in name, file, after, line, with, by, says
	local m=$dir/$1 rc=0 what run
	read -ra run <<<"$by"
	mkdir "$m"
	if ! replace "$file" "$m/${file##*/}" "$after" "$line" "$with"; then
		echo "$file: not exactly one line: $line" >"$m/out"
		verdict 1 "$name applies" "$m/out"
	elif ! { compile "$m/${file##*/}" "$m/mutant.o" && link "${run[0]}" "$m/${run[0]}" "$m/mutant.o"; } 2>"$m/out"; then
		verdict 1 "$name compiles" "$m/out"
	else
		timeout 300 "$m/${run[0]}" "${run[@]:1}" >"$m/out" 2>&1 || rc=$?
		what=$(grep -E -m1 "$says" "$m/out" || :)
		[ $rc != 0 ] && [ $rc != 124 ] && [ -n "$what" ] && rc=0 || rc=1
		verdict $rc "$name is caught by $by${what:+: $what}" "$m/out"
	fi
	rm -rf "$m"
}

begun=0 shown=0 running=0 cpus=$(nproc)
at_once() { # at_once COMMAND…: beside others; results shows what it prints
	if [ $running = "$cpus" ]; then
		wait -n || :
		running=$((running - 1))
		results
	fi
	begun=$((begun + 1)) running=$((running + 1))
	{
		"$1" $begun "${@:2}" >"$dir/$begun.tap"
		touch "$dir/$begun.done"
	} &
}

results() { # in order, as far as they are there
	while [ -e "$dir/$((shown + 1)).done" ]; do
		shown=$((shown + 1))
		sed "s/^\(not ok\|ok\) - /\1 $shown - /" "$dir/$shown.tap"
		grep -q '^ok' "$dir/$shown.tap" || failed=1
	done
}

built=' ' asked=' '
record() {
	local run
	read -ra run <<<"$by"
	case $built in
	*" ${run[0]} "*) ;;
	*) program "${run[0]}" && built="$built${run[0]} " ;;
	esac
	case $asked in
	*" $by "*) ;;
	*) at_once unchanged "${run[@]}" && asked="$asked$by " ;;
	esac
	at_once mutant
}

env -u MAKEFLAGS -u MAKELEVEL make -s B="$build" "$build/libhsl.a" "$build/libcommon.a" >&2
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
		case $wanted in '  ' | *" $name "*) record ;; esac
		;;
	*)
		echo "$list: what is this: $text" >&2
		exit 2
		;;
	esac
done <"$list"
wait
results
echo "1..$begun"
[ $failed = 0 ] && [ $begun != 0 ] && [ $shown = $begun ]
